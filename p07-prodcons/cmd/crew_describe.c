/* What a crew is at, in words. */
#include <stdio.h>
#include <sys/wait.h>

#include "p07-prodcons/cmd/crew.h"

const char *crew_name(const struct crew_member *member, char *buf, size_t size)
{
	snprintf(buf, size, "%c%u",
		 member->role.kind == ROLE_PRODUCER ? 'P' : 'C',
		 member->role.number);
	return buf;
}

/* What a dead process was at is what stands in its slot for ever. */
static bool is_dead(const struct crew_member *member)
{
	siginfo_t info = {.si_pid = 0};

	/* WNOWAIT: to reap it is for crew_reap(). */
	return member->pid > 0 &&
	       waitid(P_PID, (id_t)member->pid, &info,
		      WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == member->pid;
}

/* "P1, P3" and how many they are; of many, the first few. */
static unsigned int list(const struct crew *crew, enum role_doing doing,
			 char *buf, size_t size)
{
	unsigned int n = 0;
	size_t at = 0;
	char name[16];

	buf[0] = '\0';
	for (uint32_t i = 0; i < crew->members; i++) {
		if (atomic_load(&crew->slot[i].doing) != doing ||
		    is_dead(&crew->member[i]))
			continue;
		if (n++ < AUDIT_LISTED)
			at += (size_t)snprintf(buf + at, size - at, "%s%s",
					       n > 1 ? ", " : "",
					       crew_name(&crew->member[i], name,
							 sizeof(name)));
	}
	if (n > AUDIT_LISTED)
		snprintf(buf + at, size - at, " and %u more", n - AUDIT_LISTED);
	return n;
}

const char *crew_describe(const struct crew *crew, char *buf, size_t size)
{
	static const struct {
		enum role_doing doing;
		const char *one, *many;
	} words[] = {
		{ROLE_PUTTING, "waits for room", "wait for room"},
		{ROLE_TAKING, "waits for an item", "wait for an item"},
		{ROLE_PAUSING, "is elsewhere", "are elsewhere"},
	};
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char names[160];
		unsigned int n =
			list(crew, words[i].doing, names, sizeof(names));

		if (n == 0 || at >= size)
			continue;
		at += (size_t)snprintf(buf + at, size - at, "%s%s %s",
				       at ? "; " : "", names,
				       n == 1 ? words[i].one : words[i].many);
	}
	return buf;
}
