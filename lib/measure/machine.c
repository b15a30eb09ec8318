#include "lib/measure/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/mqlimit.h"

static const struct {
	const char *name;
	const char *path; /* NULL: not in a file */
} limits[MACHINE_LIMITS] = {
	[MACHINE_MQ_MSGSIZE_MAX] = {"mq_msgsize_max", NULL},
	[MACHINE_MQ_MSG_MAX] = {"mq_msg_max", NULL},
	[MACHINE_MQ_BYTES] = {"mq_bytes", NULL},
	[MACHINE_MSGMAX] = {"msgmax", "/proc/sys/kernel/msgmax"},
	[MACHINE_MSGMNB] = {"msgmnb", "/proc/sys/kernel/msgmnb"},
	[MACHINE_PIPE_BYTES] = {"pipe_bytes", NULL},
	[MACHINE_SNDBUF] = {"sndbuf", "/proc/sys/net/core/wmem_default"},
	[MACHINE_SNDBUF_MAX] = {"sndbuf_max", "/proc/sys/net/core/wmem_max"},
};

static int64_t read_number(const char *path)
{
	int64_t value = -1;
	FILE *file = fopen(path, "re");
	char line[64], *end;

	if (!file)
		return -1;
	if (fgets(line, sizeof(line), file)) {
		errno = 0;
		value = strtoll(line, &end, 10);
		if (errno || end == line || value < 0)
			value = -1;
	}
	fclose(file);
	return value;
}

static int64_t pipe_room(void)
{
	int fds[2], room;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	room = fcntl(fds[0], F_GETPIPE_SZ);
	close(fds[0]);
	close(fds[1]);
	return room;
}

int64_t machine_limit_read(enum machine_limit limit)
{
	switch (limit) {
	case MACHINE_MQ_MSGSIZE_MAX:
		return mqlimit_read(MQLIMIT_MESSAGE_BYTES);
	case MACHINE_MQ_MSG_MAX:
		return mqlimit_read(MQLIMIT_MESSAGES);
	case MACHINE_MQ_BYTES:
		return mqlimit_read(MQLIMIT_USER_BYTES);
	case MACHINE_PIPE_BYTES:
		return pipe_room();
	default:
		return read_number(limits[limit].path);
	}
}

const char *machine_limit_name(enum machine_limit limit)
{
	return limits[limit].name;
}

/* The first line that starts with key, as of x86; others name their
 * processors in other words or not at all. */
static void read_cpu_name(char *name, size_t size)
{
	static const char key[] = "model name";
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[512];

	snprintf(name, size, "unknown");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		const char *colon = strchr(line, ':');

		if (strncmp(line, key, sizeof(key) - 1) != 0 || !colon)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(name, size, "%s",
			 colon + 1 + strspn(colon + 1, " \t"));
		break;
	}
	fclose(file);
}

int machine_cpus(int *cpus, size_t n)
{
	cpu_set_t set;
	int found = 0;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return -errno;
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		if ((size_t)found < n)
			cpus[found] = (int)cpu;
		found++;
	}
	return found;
}

void machine_read(struct machine *machine)
{
	struct utsname name;

	*machine = (struct machine){0};
	read_cpu_name(machine->cpu, sizeof(machine->cpu));
	if (uname(&name) == 0)
		snprintf(machine->kernel, sizeof(machine->kernel), "%s %s",
			 name.sysname, name.release);
	else
		snprintf(machine->kernel, sizeof(machine->kernel), "unknown");
	machine->cpus = machine_cpus(NULL, 0);
	if (machine->cpus < 0)
		machine->cpus = 0;
	for (int i = 0; i < MACHINE_LIMITS; i++)
		machine->limit[i] = machine_limit_read((enum machine_limit)i);
}
