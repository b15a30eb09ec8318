/* Entries of the ledger lie in /dev/shm and /tmp, where others may have written
 * them. What
 * is taken for sound must be so: it is shown on terminals, and names what
 * `ipc_suite clean` looks at. */
#include "lib/objname_entry.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void check_sound(const struct objname_entry *entry)
{
	struct objname_entry again;
	char text[OBJNAME_ENTRY_TEXT];

	must(entry->owner.pid > 0 && entry->created >= 0);
	must((unsigned int)entry->kind < OBJNAME_KINDS);
	must(memchr(entry->name, '\0', sizeof(entry->name)) != NULL);
	must(memchr(entry->program, '\0', sizeof(entry->program)) != NULL);
	for (const char *c = entry->name; *c; c++)
		must((unsigned char)*c >= ' ' && *c != 0x7f);

	objname_entry_format(entry, text);
	must(strlen(text) < sizeof(text) - 1);
	must(objname_entry_parse(text, &again));
	must(again.kind == entry->kind && again.created == entry->created &&
	     objname_entry_same_owner(&again, entry) &&
	     memcmp(&again.object, &entry->object, sizeof(again.object)) == 0 &&
	     strcmp(again.name, entry->name) == 0 &&
	     strcmp(again.program, entry->program) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text =
		malloc(size + 1); /* of its own size: ASan guards the end */
	struct objname_entry entry;

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (objname_entry_parse(text, &entry))
		check_sound(&entry);
	free(text);
	return 0;
}
