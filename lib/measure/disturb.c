#include "lib/measure/disturb.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"

/* The lines of the CPUs come first; what does not fit is of no interest on a
 * machine with fewer than some 200 of them, and not looked at on others. */
#define STAT_BYTES 16384

static int open_proc(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	fd = fd < 0 ? -1 : fdio_above_std(fd);
	return fd < 0 ? -1 : fd;
}

void disturb_open(struct disturb *disturb, const int cpus[2], int ours)
{
	const int used = cpus && cpus[0] == cpus[1] ? 1 : 2;

	*disturb = (struct disturb){
		.stat_fd = open_proc("/proc/stat"),
		.load_fd = open_proc("/proc/loadavg"),
		.cpus = {cpus ? cpus[0] : -1, cpus ? cpus[1] : -1},
		.room = (int)sysconf(_SC_NPROCESSORS_ONLN) - used + ours};
}

void disturb_close(struct disturb *disturb)
{
	fdio_close(&disturb->stat_fd);
	fdio_close(&disturb->load_fd);
}

/* The text of the file, or "". */
static void read_proc(int fd, char *text, size_t size)
{
	ssize_t n = fd < 0 ? 0 : pread(fd, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
}

/* "cpu3 user nice system idle iowait irq softirq steal …". The line without a
 * number is the sum of all and counts nothing here. */
static uint64_t steal_of_line(char *line, const struct disturb *disturb)
{
	uint64_t ticks = 0;
	char *at = line + strlen("cpu");
	long cpu;

	if (*at < '0' || *at > '9')
		return 0;
	cpu = strtol(at, &at, 10);
	if (disturb->cpus[0] >= 0 && cpu != disturb->cpus[0] &&
	    cpu != disturb->cpus[1])
		return 0;
	for (int field = 0; field < 8; field++)
		ticks = strtoull(at, &at, 10);
	return ticks;
}

static uint64_t read_steal(const struct disturb *disturb)
{
	char text[STAT_BYTES] = "", *line = text;
	uint64_t steal = 0;

	read_proc(disturb->stat_fd, text, sizeof(text));
	while (line && strncmp(line, "cpu", 3) == 0) {
		steal += steal_of_line(line, disturb);
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return steal;
}

/* "0.20 0.18 0.12 RUNNING/TOTAL PID" */
static long read_running(const struct disturb *disturb)
{
	char text[128] = "", *slash;

	read_proc(disturb->load_fd, text, sizeof(text));
	slash = strchr(text, '/');
	while (slash && slash > text && slash[-1] != ' ')
		slash--;
	return slash ? strtol(slash, NULL, 10) : 0;
}

void disturb_mark(struct disturb *disturb, uint64_t switches)
{
	disturb->switches = switches;
	disturb->steal = read_steal(disturb);
	disturb->is_crowded = read_running(disturb) > disturb->room;
}

struct disturb_change disturb_since(struct disturb *disturb, uint64_t switches)
{
	struct disturb before = *disturb;

	disturb_mark(disturb, switches);
	return (struct disturb_change){
		disturb->steal - before.steal, switches - before.switches,
		before.is_crowded || disturb->is_crowded};
}
