#include "suite/checkup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "suite/inventory.h"

enum { RPCBIND_PORT = 111 };

static void check_kernel(checkup_visit *visit, void *arg)
{
	struct utsname name;
	char value[256];
	struct checkup_finding finding = {.subject = "kernel", .value = value};

	uname(&name);
	snprintf(value, sizeof(value), "%.60s %.60s %.60s", name.sysname,
		 name.release, name.machine);
	visit(&finding, arg);
}

static void check_cpus(checkup_visit *visit, void *arg)
{
	char value[32] = "unknown";
	struct checkup_finding finding = {
		.subject = "CPUs",
		.value = value,
		.why = "no figures for two sides on two CPUs",
		.fix = "give the machine, container or taskset a second CPU"};
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0) {
		snprintf(value, sizeof(value), "%d usable", CPU_COUNT(&set));
		if (CPU_COUNT(&set) < 2)
			finding.level = CHECKUP_ADVICE;
	}
	visit(&finding, arg);
}

/* Whether somebody accepts a connection there in time. */
static bool is_reachable(const struct sockaddr *address, socklen_t len)
{
	int fd = socket(address->sa_family,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool is_there = false;
	int error = 0;

	if (fd < 0)
		return false;
	if (connect(fd, address, len) == 0) {
		is_there = true;
	} else if (errno == EINPROGRESS &&
		   fdio_wait(fd, POLLOUT,
			     tick_after(CHECKUP_TIMEOUT_MS * TICK_MS)) > 0) {
		socklen_t size = sizeof(error);

		is_there = getsockopt(fd, SOL_SOCKET, SO_ERROR, &error,
				      &size) == 0 &&
			   error == 0;
	}
	fdio_close(&fd);
	return is_there;
}

static void check_rpcbind(checkup_visit *visit, void *arg)
{
	static const struct sockaddr_un local = {
		.sun_family = AF_UNIX, .sun_path = "/run/rpcbind.sock"};
	const struct sockaddr_in loopback = {.sin_family = AF_INET,
					     .sin_port = htons(RPCBIND_PORT),
					     .sin_addr.s_addr =
						     htonl(INADDR_LOOPBACK)};
	struct checkup_finding finding = {
		.subject = "rpcbind service",
		.value = "answers",
		.why = "RPC servers of chapters 16 to 18 cannot be found by "
		       "name",
		.fix = "apt-get install rpcbind; rpcbind -w (or "
		       "scripts/sandbox --rpcbind COMMAND)"};

	if (!is_reachable((const struct sockaddr *)&loopback,
			  sizeof(loopback))) {
		finding.level = CHECKUP_ADVICE;
		finding.value = "does not answer";
		if (is_reachable((const struct sockaddr *)&local,
				 sizeof(local))) {
			finding.value = "answers, but not over TCP";
			finding.fix = "see /etc/services; then start rpcbind "
				      "again";
		}
	}
	visit(&finding, arg);
}

/* rpcbind looks for its own port there, and goes on without TCP and UDP. */
static void check_services(checkup_visit *visit, void *arg)
{
	struct checkup_finding finding = {
		.subject = "/etc/services",
		.value = "knows sunrpc",
		.why = "rpcbind, once started, offers neither TCP nor UDP",
		.fix = "apt-get install netbase"};

	if (!getservbyname("sunrpc", "tcp")) {
		finding.level = CHECKUP_ADVICE;
		finding.value = "knows no sunrpc";
	}
	visit(&finding, arg);
}

/* What scripts/sandbox does first; in a child, whose namespaces go with it.
 * Some systems permit the namespace and then no mount in it. */
static int try_namespaces(void *arg)
{
	int flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET;

	(void)arg;
	if (unshare(geteuid() == 0 ? flags : flags | CLONE_NEWUSER))
		return errno;
	if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL))
		return errno;
	return 0;
}

static const char *namespaces_fix(void)
{
	if (geteuid() == 0)
		return "docker run --cap-add SYS_ADMIN --security-opt "
		       "seccomp=unconfined --security-opt apparmor=unconfined";
	if (access("/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
		   F_OK) == 0)
		return "sysctl -w "
		       "kernel.apparmor_restrict_unprivileged_userns=0";
	if (access("/proc/sys/kernel/unprivileged_userns_clone", F_OK) == 0)
		return "sysctl -w kernel.unprivileged_userns_clone=1";
	return "sysctl -w user.max_user_namespaces=10000, or run as root";
}

static void check_namespaces(checkup_visit *visit, void *arg)
{
	struct checkup_finding finding = {
		.level = CHECKUP_ADVICE,
		.subject = "namespaces",
		.value = "not permitted",
		.why = "scripts/sandbox, and so the tests, do not run",
		.fix = namespaces_fix()};
	int64_t deadline = tick_after(CHECKUP_TIMEOUT_MS * TICK_MS);
	int status, error;
	pid_t pid;

	error = child_fork(try_namespaces, NULL, &pid);
	if (!error) {
		do
			error = child_wait(pid, deadline, &status);
		while (error == -EINTR);
		if (error)
			child_end(pid, 0, &status);
	}
	if (!error && child_exit_code(status) == 0) {
		finding.level = CHECKUP_OK;
		finding.value = "permitted";
	}
	visit(&finding, arg);
}

static void check_leftovers(checkup_visit *visit, void *arg)
{
	char value[64], path[OBJNAME_LEDGER], fix[128];
	struct checkup_finding finding = {
		.subject = "left objects",
		.value = value,
		.why = "objects of dead programs take room and names",
		.fix = "ipc_suite clean"};
	struct inventory inventory;
	size_t dead = 0;

	int error = inventory_take(&inventory);

	if (error) {
		objname_ledger(path);
		snprintf(fix, sizeof(fix),
			 "ls -ld %s, and remove it as its owner or as root",
			 path);
		finding.level = CHECKUP_ADVICE;
		finding.value =
			error == -EPERM ? "ledger not ours" : "not to be read";
		finding.why = "what programs make is not noted";
		finding.fix = fix;
		visit(&finding, arg);
		return;
	}
	for (size_t i = 0; i < inventory.n; i++)
		dead += inventory.item[i].owner == OBJNAME_DEAD;
	snprintf(value, sizeof(value), "%zu of %zu", dead, inventory.n);
	if (dead > 0)
		finding.level = CHECKUP_ADVICE;
	inventory_free(&inventory);
	visit(&finding, arg);
}

void checkup_environment(checkup_visit *visit, void *arg)
{
	check_kernel(visit, arg);
	check_cpus(visit, arg);
	check_namespaces(visit, arg);
	check_rpcbind(visit, arg);
	check_services(visit, arg);
	check_leftovers(visit, arg);
}
