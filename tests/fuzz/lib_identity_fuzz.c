/* Identities as text lie in files and in the ledger, where others may have
 * written them. What is taken for sound is what format writes, byte for byte, so
 * that equal identities have equal texts; and to judge or compare it harms
 * nobody. */
#include "lib/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void try_process(const char *text)
{
	char again[IDENTITY_PROCESS_TEXT];
	struct identity_process process;
	int error = identity_parse(text, &process);

	must(error == 0 || error == -EBADMSG);
	if (error)
		return;
	identity_format(&process, again);
	must(strcmp(again, text) == 0);
	must(identity_is_same(&process, &process));
	must(identity_judge(&process) <= IDENTITY_UNKNOWN);
}

static void try_object(const char *text)
{
	char again[IDENTITY_OBJECT_TEXT];
	struct identity_object object;
	int error = identity_parse_object(text, &object);
	enum identity_match match;

	must(error == 0 || error == -EBADMSG);
	if (error)
		return;
	identity_format_object(&object, again);
	must(strcmp(again, text) == 0);
	/* Never another than itself. */
	match = identity_compare(&object, 0, &object);
	must(match == IDENTITY_SAME || match == IDENTITY_CANNOT_TELL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text =
		malloc(size + 1); /* of its own size: ASan guards the end */

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	try_process(text);
	try_object(text);
	free(text);
	return 0;
}
