#include "p05-sysv-mq/cmd/target.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "lib/cmd/die.h"
#include "lib/sysv.h"
#include "p05-sysv-mq/gate.h"

static bool is_zero(const char *text)
{
	if (strncmp(text, "0x", 2) == 0 || strncmp(text, "0X", 2) == 0)
		text += 2;
	return *text && text[strspn(text, "0")] == '\0';
}

static void read_key(struct target *target)
{
	const char *text = target->key_text;

	if (sysv_parse_key(text, &target->key) == 0)
		return;
	if (is_zero(text))
		die_usage("--key=%s: that is IPC_PRIVATE, a queue that nobody "
			  "else can find; accepted is 0x1 to 0xffffffff",
			  text);
	die_usage("--key='%s': accepted is 0x1 to 0xffffffff, or decimal",
		  text);
}

static void make_key(struct target *target)
{
	int rc;

	if (!*target->path)
		die_usage("--path='': accepted is the path of a file");
	rc = gate_key(target->path, &target->key, &target->identity);
	if (rc)
		die_errno(rc, "cannot make a key from --path=%s", target->path);
}

void target_resolve(struct target *target)
{
	if (target->path && target->key_text)
		die_usage("--key=%s and --path=%s: give one of them",
			  target->key_text, target->path);
	if (target->key_text)
		read_key(target);
	if (target->path)
		make_key(target);
}

_Noreturn void target_refuse(const struct target *target, int error)
{
	unsigned int key = (unsigned int)target->key;

	switch (error) {
	case -EXDEV:
		die("key 0x%08x is in use for another file than %s: ftok makes "
		    "one key of many files; use --key or another --path",
		    key, target->path ? target->path : "none (--key)");
	case -ENOTUNIQ:
		die("key 0x%08x belongs to another program's queue or "
		    "semaphores, or to what a server left whose semaphores "
		    "were removed (ipcs -q -s): use --key or another --path",
		    key);
	case -EACCES:
	case -EPERM:
		die("cannot use the queue of key 0x%08x: another user's, and "
		    "its mode does not let you (the server's --mode)",
		    key);
	default:
		die_errno(error, "cannot use the queue of key 0x%08x", key);
	}
}
