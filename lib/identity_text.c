/* identity_text.c - processes and objects as text, in one form. Parsing reads
 * loosely and then formats what it has read: what differs from that is no text
 * of ours. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/identity.h"
#include "lib/identity_proc.h"

enum { BOOT_TEXT = 37 };

static void format_boot(const uint8_t boot[16], char text[BOOT_TEXT])
{
	char *at = text;

	for (int i = 0; i < 16; i++)
		at += sprintf(at, "%s%02x",
			      i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			      boot[i]);
}

void identity_format(const struct identity_process *process,
		     char text[IDENTITY_PROCESS_TEXT])
{
	const struct identity_place *place = &process->place;
	char boot[BOOT_TEXT];

	format_boot(place->boot, boot);
	snprintf(text, IDENTITY_PROCESS_TEXT,
		 "%" PRId32 ":%" PRIu64 ":%" PRIu64 ":%" PRIu64 "/%" PRIu64
		 ":%" PRIu64 "/%" PRIu64 ":%s",
		 process->pid, process->start, process->pidfs, place->pid.inode,
		 place->pid.id, place->time.inode, place->time.id, boot);
}

int identity_parse(const char *text, struct identity_process *process)
{
	struct identity_process read = {0};
	struct identity_place *place = &read.place;
	char again[IDENTITY_PROCESS_TEXT];
	int at = 0;

	if (sscanf(text, // NOLINT: overflow is seen below
		   "%" SCNd32 ":%" SCNu64 ":%" SCNu64 ":%" SCNu64 "/%" SCNu64
		   ":%" SCNu64 "/%" SCNu64 ":%n",
		   &read.pid, &read.start, &read.pidfs, &place->pid.inode,
		   &place->pid.id, &place->time.inode, &place->time.id,
		   &at) != 7 ||
	    at == 0)
		return -EBADMSG;
	if (identity_proc_parse_boot(text + at, place->boot))
		return -EBADMSG;
	identity_format(&read, again);
	if (read.pid < 0 || strcmp(text, again) != 0)
		return -EBADMSG;
	*process = read;
	return 0;
}

static const char *const kind_words[] = {
	[IDENTITY_FILE] = "file",
	[IDENTITY_SYSV_SHM] = "shm",
	[IDENTITY_SYSV_SEM] = "sem",
	[IDENTITY_SYSV_MSG] = "msg",
};
enum { KIND_WORDS = sizeof(kind_words) / sizeof(kind_words[0]) };

void identity_format_object(const struct identity_object *object,
			    char text[IDENTITY_OBJECT_TEXT])
{
	uint32_t kind = object->kind;
	char boot[BOOT_TEXT];

	format_boot(object->boot, boot);
	snprintf(text, IDENTITY_OBJECT_TEXT,
		 "%s:%" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%" PRId64 ".%09" PRIu32
		 ":%" PRIu32 ":%" PRId32 ":%" PRId32 ":%" PRIu32 ":%" PRId64
		 ":%" PRIu64 "/%" PRIu64 ":%s",
		 kind > 0 && kind < KIND_WORDS ? kind_words[kind] : "none",
		 object->device, object->inode, object->folder, object->birth_s,
		 object->birth_ns, object->flags, object->id, object->key,
		 object->creator, object->ctime_s, object->ipc.inode,
		 object->ipc.id, boot);
}

int identity_parse_object(const char *text, struct identity_object *object)
{
	struct identity_object read = {0};
	char again[IDENTITY_OBJECT_TEXT], word[8] = "";
	int at = 0;

	if (sscanf(text, // NOLINT: overflow is seen below
		   "%7[a-z]:%" SCNu64 ":%" SCNu64 ":%" SCNu64 ":%" SCNd64
		   ".%" SCNu32 ":%" SCNu32 ":%" SCNd32 ":%" SCNd32 ":%" SCNu32
		   ":%" SCNd64 ":%" SCNu64 "/%" SCNu64 ":%n",
		   word, &read.device, &read.inode, &read.folder, &read.birth_s,
		   &read.birth_ns, &read.flags, &read.id, &read.key,
		   &read.creator, &read.ctime_s, &read.ipc.inode, &read.ipc.id,
		   &at) != 13 ||
	    at == 0)
		return -EBADMSG;
	for (uint32_t kind = 1; kind < KIND_WORDS; kind++)
		if (strcmp(word, kind_words[kind]) == 0)
			read.kind = kind;
	if (identity_proc_parse_boot(text + at, read.boot))
		return -EBADMSG;
	identity_format_object(&read, again);
	if (strcmp(text, again) != 0)
		return -EBADMSG;
	*object = read;
	return 0;
}
