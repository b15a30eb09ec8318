/* sysv_server - the command: options, what was found, the end. The service
 * itself is one function: TEXT becomes TEXT_PROCESSED. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/cmd/stop.h"
#include "lib/identity.h"
#include "lib/objname.h"
#include "lib/tick.h"
#include "p05-sysv-mq/cmd/target.h"
#include "p05-sysv-mq/letter.h"
#include "p05-sysv-mq/mqserver.h"

static const char SUFFIX[] = "_PROCESSED";

struct arguments {
	struct target target;
	struct mqserver_options server;
	bool must_keep;
};

static void parse(struct arguments *a, int argc, char **argv)
{
	const struct cli_option options[] = {
		TARGET_OPTIONS(&a->target),
		CLI_MODE("mode", 'm', "OCTAL", &a->server.mode, 0600,
			 "Mode of the queue (default 600); 666 lets all users "
			 "ask"),
		CLI_COUNT("workers", 'w', "N", &a->server.workers, 1,
			  MQSERVER_WORKERS_MAX,
			  "How many threads answer (default 1)"),
		CLI_DURATION("timeout", 't', "DUR", &a->server.sweep_ns,
			     TICK_MS, TICK_NEVER / 2,
			     "How often to collect replies to dead clients "
			     "(default 1s)"),
		CLI_ON("keep", 'K', &a->must_keep,
		       "Leave the queue behind at the end"),
		{0},
	};
	const struct cli_command command = {
		.doc = "Answer the requests of many clients through one System "
		       "V message queue, until SIGINT, SIGTERM or SIGHUP.\v"
		       "Example: ./sysv_server & ./sysv_client HELLO\n"
		       "Exit status: 0 stopped, 1 failed, 2 usage.",
		.options = options,
	};

	cli_parse(&command, argc, argv);
	target_resolve(&a->target);
	a->server.key = a->target.key;
	a->server.identity = a->target.identity;
}

static ssize_t process(const char *text, size_t text_bytes, char *reply,
		       size_t reply_max, void *arg)
{
	const size_t suffix_bytes = sizeof(SUFFIX) - 1;

	(void)arg;
	if (text_bytes + suffix_bytes > reply_max)
		return -EMSGSIZE;
	memcpy(reply, text, text_bytes);
	memcpy(reply + text_bytes, SUFFIX, suffix_bytes);
	return (ssize_t)(text_bytes + suffix_bytes);
}

static void print_event(enum mqserver_event event, pid_t client, unsigned int n,
			void *arg)
{
	(void)arg;
	switch (event) {
	case MQSERVER_GARBAGE:
		die_warn("dropped a message that was no request");
		break;
	case MQSERVER_EXPIRED:
		if (client > 0)
			die_warn("dropped a request of client %d: it has given "
				 "up",
				 (int)client);
		else
			die_warn("dropped %u replies: their clients have given "
				 "up",
				 n);
		break;
	case MQSERVER_DROPPED:
		if (client > 0)
			die_warn("dropped a reply to client %d: no room in the "
				 "queue",
				 (int)client);
		else
			die_warn("dropped %u replies: no room in the queue", n);
		break;
	case MQSERVER_COLLECTED:
		die_warn("collected %u messages for clients that are dead", n);
		break;
	}
}

static _Noreturn void refuse(const struct target *target, int error)
{
	switch (error) {
	case -EADDRINUSE:
		die("cannot serve key 0x%08x: another server does",
		    (unsigned int)target->key);
	case -EMSGSIZE:
		die("queues or messages are too small here: sysctl -w "
		    "kernel.msgmnb=16384 kernel.msgmax=8192");
	case -ENOSPC:
		die("no more queues or semaphores: raise kernel.msgmni or "
		    "kernel.sem, or remove some (ipcs -q -s, ipcrm)");
	case -EPERM:
		die("key 0x%08x: a dead server of another user has left its "
		    "queue there, which only he and root may take over (ipcs "
		    "-q -s); use --key or another --path",
		    (unsigned int)target->key);
	default:
		target_refuse(target, error);
	}
}

/* Queue or set of the server that had the other of the two, if somebody has
 * removed it. */
static int forget_if_gone(const struct objname_entry *entry, void *arg)
{
	const struct objname_entry *other = arg;

	if ((entry->kind == OBJNAME_SYSV_SEM ||
	     entry->kind == OBJNAME_SYSV_MSG) &&
	    identity_is_same(&entry->owner, &other->owner) &&
	    objname_match(entry) == IDENTITY_GONE)
		objname_remove(entry);
	return 0;
}

/* A server that was killed after somebody had removed its set has left a queue by
 * itself, which could be anybody's. The ledger has which one it was. */
static bool remove_lonely_queue(key_t key)
{
	struct objname_entry entry;
	int queue = msgget(key, 0);
	char id[16];

	snprintf(id, sizeof(id), "%d", queue);
	if (queue < 0 || semget(key, 0, 0) >= 0 ||
	    objname_find(OBJNAME_SYSV_MSG, id, &entry) ||
	    objname_judge_owner(&entry) != OBJNAME_DEAD ||
	    objname_match(&entry) != IDENTITY_SAME || objname_remove(&entry))
		return false;
	objname_each(forget_if_gone, &entry);
	die_warn("took over from a dead server (msqid=%d) that had lost its "
		 "semaphores",
		 queue);
	return true;
}

/* What a dead server left is gone; say so, and strike it off the ledger. */
static void report(const struct mqserver_found *found)
{
	struct objname_entry entry;
	char id[16];

	if (!found->was_there)
		return;
	snprintf(id, sizeof(id), "%d", found->gate);
	if (found->queue < 0 && objname_find(OBJNAME_SYSV_SEM, id, &entry) == 0)
		objname_each(forget_if_gone, &entry);
	objname_release_id(OBJNAME_SYSV_SEM, found->gate);
	if (found->queue < 0) {
		die_warn("took over from a server that died without a queue");
		return;
	}
	objname_release_id(OBJNAME_SYSV_MSG, found->queue);
	die_warn("took over from a dead server (msqid=%d): purged %u requests, "
		 "%u replies, %u others",
		 found->queue, found->purged.requests, found->purged.replies,
		 found->purged.others);
}

static int run(struct arguments *arguments)
{
	const struct target *target = &arguments->target;
	struct mqserver_found found;
	struct mqserver *server;
	int queue, gate, rc;

	rc = mqserver_create(&server, &arguments->server, &found);
	if (rc == -ENOTUNIQ && remove_lonely_queue(target->key))
		rc = mqserver_create(&server, &arguments->server, &found);
	report(&found);
	if (rc)
		refuse(target, rc);
	queue = mqserver_queue(server);
	gate = mqserver_gate(server);
	objname_claim_id(OBJNAME_SYSV_MSG, queue);
	objname_claim_id(OBJNAME_SYSV_SEM, gate);
	printf("Server starting, key=0x%08x, msqid=%d\n"
	       "Waiting for requests (msgtyp=%d)...\n",
	       (unsigned int)target->key, queue, LETTER_REQUEST);
	fflush(stdout);
	rc = mqserver_run(server, stop_fd());
	if (arguments->must_keep) {
		mqserver_abandon(server);
		return rc;
	}
	mqserver_remove(server);
	objname_release_id(OBJNAME_SYSV_MSG, queue);
	objname_release_id(OBJNAME_SYSV_SEM, gate);
	return rc;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.target.key = TARGET_KEY,
		.server = {.mode = 0600,
			   .workers = 1,
			   .sweep_ns = TICK_S,
			   .answer = process,
			   .on_event = print_event},
	};
	int rc;

	parse(&arguments, argc, argv);
	out_as_log();
	rc = stop_install();
	if (rc)
		die_errno(rc, "cannot handle signals");
	rc = run(&arguments);
	if (rc == -EIDRM)
		die("the queue of key 0x%08x, or its semaphores, were removed "
		    "by somebody else",
		    (unsigned int)arguments.target.key);
	if (rc)
		die_errno(rc, "cannot go on serving key 0x%08x",
			  (unsigned int)arguments.target.key);
	return EXIT_SUCCESS;
}
