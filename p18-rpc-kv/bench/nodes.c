#include "p18-rpc-kv/bench/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/die.h"
#include "lib/fdio.h"
#include "lib/rpc/rpc_client.h"
#include "lib/tick.h"
#include "p18-rpc-kv/etcd/engine_etcd.h"
#include "p18-rpc-kv/kv.h"

enum { PATIENCE_S = 30, PEER_PORT = 10000, ARGS_MAX = 16, ARG = 160 };

/* ---- ports ---- */

/* Whether nobody listens there. */
static bool is_free(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(port)};
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is;

	if (fd < 0)
		die_errno(errno, "a socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	is = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	close(fd);
	return is;
}

/* Our servers speak to each other at the port that is 10000 higher; etcd's do, as
 * well, here. */
static void choose_ports(struct nodes *nodes)
{
	uint16_t port = nodes->is_etcd ? 14000 : 13000;

	for (int i = 0; i < NODES; port++)
		if (is_free(port) && is_free(port + PEER_PORT)) {
			nodes->ports[i] = port;
			nodes->peer_ports[i++] = port + PEER_PORT;
		}
}

/* ---- command lines ---- */

struct line {
	char text[ARGS_MAX][ARG];
	char *argv[ARGS_MAX + 1];
	int n;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line,
						      const char *format, ...)
{
	va_list args;

	if (line->n == ARGS_MAX)
		die("too many arguments");
	va_start(args, format);
	vsnprintf(line->text[line->n], ARG, format, args);
	va_end(args);
	line->argv[line->n] = line->text[line->n];
	line->argv[++line->n] = NULL;
}

static void line_of_ours(const struct nodes *nodes, int which,
			 struct line *line)
{
	char peers[ARG] = "";

	for (int i = 0; i < NODES; i++)
		if (i != which)
			snprintf(peers + strlen(peers),
				 sizeof(peers) - strlen(peers),
				 "%s127.0.0.1:%u", peers[0] ? "," : "",
				 nodes->ports[i]);
	add(line, "p18-rpc-kv/kv_server");
	add(line, "--id=%d", which + 1);
	add(line, "--port=%u", nodes->ports[which]);
	add(line, "--peers=%s", peers);
	add(line, "--data=%s/%d", nodes->folder, which);
	add(line, "--heartbeat=50ms");
	add(line, "--election-timeout=500ms");
}

static void line_of_etcd(const struct nodes *nodes, int which,
			 struct line *line)
{
	char cluster[ARG] = "";

	for (int i = 0; i < NODES; i++)
		snprintf(cluster + strlen(cluster),
			 sizeof(cluster) - strlen(cluster),
			 "%s%d=http://127.0.0.1:%u", i ? "," : "", i,
			 nodes->peer_ports[i]);
	add(line, "etcd");
	add(line, "--name=%d", which);
	add(line, "--data-dir=%s/%d", nodes->folder, which);
	add(line, "--listen-client-urls=http://127.0.0.1:%u",
	    nodes->ports[which]);
	add(line, "--advertise-client-urls=http://127.0.0.1:%u",
	    nodes->ports[which]);
	add(line, "--listen-peer-urls=http://127.0.0.1:%u",
	    nodes->peer_ports[which]);
	add(line, "--initial-advertise-peer-urls=http://127.0.0.1:%u",
	    nodes->peer_ports[which]);
	add(line, "--initial-cluster=%s", cluster);
	add(line, "--heartbeat-interval=50");
	add(line, "--election-timeout=500");
	add(line, "--logger=zap");
	add(line, "--log-level=error");
}

/* ---- nodes ---- */

static void start_one(struct nodes *nodes, int which)
{
	struct child_spec spec = CHILD_SPEC_INIT;
	struct line line = {0};
	char log[ARG];
	int error;

	if (nodes->is_etcd)
		line_of_etcd(nodes, which, &line);
	else
		line_of_ours(nodes, which, &line);
	snprintf(log, sizeof(log), "%s/%d.log", nodes->folder, which);
	spec.argv = line.argv;
	spec.in = -1;
	spec.out = spec.err =
		open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (spec.out < 0)
		die_errno(errno, "%s", log);
	error = child_spawn(&spec, &nodes->pids[which]);
	close(spec.out);
	if (error)
		die_errno(error, "cannot start %s", line.argv[0]);
}

static bool ask_etcd(uint16_t port, kv_status_result *status)
{
	char endpoint[32];
	const char *const endpoints[] = {endpoint};
	struct engine *engine;
	size_t bad;

	snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", port);
	if (engine_etcd_open(&engine, endpoints, 1, &bad))
		die("an engine for etcd");
	engine->calls->status(engine, status);
	engine->calls->close(engine);
	return status->leader != 0;
}

static bool ask_ours(uint16_t port, kv_status_result *status)
{
	const struct rpc_client_options options = {
		.transport = RPC_TCP,
		.host = "127.0.0.1",
		.port = port,
		.program = KV_PROG,
		.version = KV_VERS,
		.timeout_ns = TICK_S,
	};
	struct rpc_client *client;
	struct rpc_fault fault;
	bool is_there;

	if (rpc_client_open(&client, &options, &fault))
		return false;
	is_there = kv_status_1(client, status, &fault) == RPC_FAULT_NONE;
	rpc_client_close(client);
	return is_there && status->leader != 0;
}

/* Whether it knows a leader, and is it. */
static bool has_leader(const struct nodes *nodes, int which, bool *is_leader)
{
	kv_status_result status = {0};
	bool has = nodes->pids[which] && (nodes->is_etcd ? ask_etcd : ask_ours)(
						 nodes->ports[which], &status);

	*is_leader = has && status.role == KV_LEADER;
	xdr_free((xdrproc_t)xdr_kv_status_result, (char *)&status);
	return has;
}

static void pause_until(int64_t deadline, const char *what)
{
	if (tick_is_over(deadline))
		die("%s in %d s", what, PATIENCE_S);
	tick_sleep_until(tick_after(20 * TICK_MS));
}

int nodes_leader(const struct nodes *nodes)
{
	int64_t deadline = tick_after(PATIENCE_S * TICK_S);

	for (int i = 0;; i = (i + 1) % NODES) {
		bool is_leader;

		has_leader(nodes, i, &is_leader);
		if (is_leader)
			return i;
		pause_until(deadline, "nobody leads");
	}
}

static void await_following(const struct nodes *nodes, int which)
{
	int64_t deadline = tick_after(PATIENCE_S * TICK_S);
	bool is_leader;

	while (!has_leader(nodes, which, &is_leader))
		pause_until(deadline, "a node does not follow");
}

void nodes_start(struct nodes *nodes)
{
	if (mkdir(nodes->folder, 0700) < 0)
		die_errno(errno, "%s", nodes->folder);
	choose_ports(nodes);
	for (int i = 0; i < NODES; i++)
		start_one(nodes, i);
	for (int i = 0; i < NODES; i++)
		await_following(nodes, i);
}

void nodes_kill(struct nodes *nodes, int which)
{
	int status;

	kill(nodes->pids[which], SIGKILL);
	child_end(nodes->pids[which], 0, &status);
	nodes->pids[which] = 0;
}

void nodes_restart(struct nodes *nodes, int which)
{
	start_one(nodes, which);
	await_following(nodes, which);
}

void nodes_stop(struct nodes *nodes)
{
	int status;

	for (int i = 0; i < NODES; i++)
		if (nodes->pids[i])
			child_end(nodes->pids[i], 5 * TICK_S, &status);
}

double nodes_resident(const struct nodes *nodes)
{
	double pages = 0;

	for (int i = 0; i < NODES; i++) {
		char path[64], line[128], *resident;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/statm",
			 (int)nodes->pids[i]);
		file = fopen(path, "re");
		if (!file || !fgets(line, sizeof(line), file))
			die_errno(errno, "cannot read '%s'", path);
		fclose(file);
		resident = strchr(line, ' ');
		pages += resident ? strtod(resident, NULL) : 0;
	}
	return pages / NODES * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

/* ---- drivers ---- */

pid_t nodes_drive(const struct nodes *nodes, const char *job, int clients,
		  const char *seconds, int which, int *fd)
{
	struct child_spec spec = CHILD_SPEC_INIT;
	char endpoints[ARG] = "";
	struct line line = {0};
	int fds[2], error, first = which < 0 ? nodes_leader(nodes) : which;
	pid_t pid;

	for (int i = 0; i < (which < 0 ? NODES : 1); i++)
		snprintf(endpoints + strlen(endpoints),
			 sizeof(endpoints) - strlen(endpoints),
			 "%s127.0.0.1:%u", i ? "," : "",
			 nodes->ports[(first + i) % NODES]);
	add(&line, "%s/%s", nodes->programs,
	    nodes->is_etcd ? "etcd_driver" : "kv_driver");
	add(&line, "%s", job);
	add(&line, "%d", clients);
	add(&line, "%s", seconds);
	add(&line, "%s", endpoints);
	if (fdio_pipe(fds))
		die("a pipe");
	spec.argv = line.argv;
	spec.in = -1;
	spec.out = fds[1];
	/* etcd's library has a line to say of each attempt that fails. */
	spec.err = which < 0 ? -1 : STDERR_FILENO;
	error = child_spawn(&spec, &pid);
	if (error)
		die_errno(error, "cannot start %s", line.argv[0]);
	close(fds[1]);
	*fd = fds[0];
	return pid;
}
