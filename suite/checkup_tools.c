#include "suite/checkup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct tool {
	const char *name, *package, *why;
} tools[] = {
	{"gnuplot", "gnuplot-nox", "reports have tables but no plots"},
	{"strace", "strace", "'Look inside' sections cannot be followed"},
	{"lsof", "lsof", "'Look inside' sections cannot be followed"},
	{"ipcs", "util-linux", "System V objects cannot be shown by hand"},
	{"unshare", "util-linux", "scripts/sandbox does not run"},
	{"bats", "bats", "the commands' tests do not run"},
	{"valgrind", "valgrind", "the leak tests do not run"},
	{"rpcbind", "rpcbind", "the RPC chapters have no port mapper"},
	{"rpcinfo", "rpcbind", "registered RPC programs cannot be shown"},
	{"rpcgen", "rpcsvc-proto", "the RPC chapters are not built"},
};

bool checkup_find_tool(const char *name, char *path, size_t size)
{
	const char *dir = getenv("PATH");
	struct stat st;
	size_t len;

	for (; dir && *dir; dir += len + (dir[len] == ':')) {
		len = strcspn(dir, ":");
		if (dir[0] != '/')
			continue;
		if (snprintf(path, size, "%.*s/%s", (int)len, dir, name) >=
		    (int)size)
			continue;
		if (access(path, X_OK) == 0 && stat(path, &st) == 0 &&
		    S_ISREG(st.st_mode))
			return true;
	}
	return false;
}

void checkup_tools(checkup_visit *visit, void *arg)
{
	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
		char path[512], fix[64];
		struct checkup_finding finding = {.subject = tools[i].name,
						  .value = path,
						  .why = tools[i].why,
						  .fix = fix};

		if (!checkup_find_tool(tools[i].name, path, sizeof(path))) {
			finding.level = CHECKUP_ADVICE;
			finding.value = "not found";
		}
		snprintf(fix, sizeof(fix), "apt-get install %s",
			 tools[i].package);
		visit(&finding, arg);
	}
}
