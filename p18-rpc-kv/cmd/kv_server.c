/* kv_server - the command: options, the two servers (of clients, and of peers), the
 * end. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/cmd/stop.h"
#include "lib/fdio.h"
#include "lib/objname.h"
#include "lib/rpc/rpc_server.h"
#include "lib/tick.h"
#include "p18-rpc-kv/cache.h"
#include "p18-rpc-kv/cluster.h"
#include "p18-rpc-kv/cmd/members.h"
#include "p18-rpc-kv/etcd/engine_etcd.h"
#include "p18-rpc-kv/etcd/gateway.h"
#include "p18-rpc-kv/service.h"

enum {
	CLIENTS = 1000,     /* connections */
	MEMORY = 256 << 20, /* for calls, of clients and again of peers */
	LINE = 768,         /* of the log */
	OWN_FDS = 64,       /* files, listeners, connections to peers */
};

static const char *const engines[] = {"raft", "etcd", NULL};
enum engine_kind { ENGINE_RAFT, ENGINE_ETCD };
static const char *const log_words[] = {"quiet", "events", "commits", NULL};

enum log_level { LOG_QUIET, LOG_EVENTS, LOG_COMMITS };

struct arguments {
	struct cluster_options cluster;
	struct folder_member members[FOLDER_MEMBERS_MAX];
	const char *listen, *advertise, *peers, *data, *endpoints;
	unsigned int max_connections;
	enum engine_kind engine;
	enum log_level log;
	char address[FOLDER_ADDRESS_MAX], folder[64];
};

static const char doc[] =
	"Serve a replicated key-value store by ONC RPC, program 0x31230018, "
	"until SIGINT, SIGTERM or SIGHUP.\v"
	"Example: ./kv_server --id=1 --port=9001 "
	"--peers=localhost:9002,localhost:9003\n"
	"Servers speak to each other on the port 10000 above that of clients, "
	"which is 55535 at most.\n"
	"Exit status: 0 stopped, 1 failed, 2 usage.";

/* ---- options ---- */

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* Where others find this server. Names of the loopback are all one. */
static void set_address(struct arguments *a)
{
	const char *listen = a->listen;
	unsigned int port = a->cluster.port;

	if (a->advertise)
		snprintf(a->address, sizeof(a->address), "%s", a->advertise);
	else if (is_loopback(listen))
		snprintf(a->address, sizeof(a->address), "localhost:%u", port);
	else if (strcmp(listen, "0.0.0.0") == 0 || strcmp(listen, "::") == 0)
		die_usage("--listen=%s: say by --advertise=HOST:PORT where "
			  "the others find this server",
			  listen);
	else
		snprintf(a->address, sizeof(a->address),
			 strchr(listen, ':') ? "[%s]:%u" : "%s:%u", listen,
			 port);
}

/* What one engine needs, and the other has no use for. */
static void check_engine(const struct arguments *a)
{
	if (a->engine == ENGINE_ETCD && !(a->endpoints && *a->endpoints))
		die_usage("--engine=etcd: say by --endpoints=HOST:PORT,… where "
			  "etcd is");
	if (a->engine == ENGINE_ETCD && a->peers)
		die_usage("--engine=etcd: the members are etcd's, and not "
			  "--peers");
	if (a->engine == ENGINE_RAFT && a->endpoints)
		die_usage("--endpoints goes with --engine=etcd");
}

static void check(struct arguments *a)
{
	struct cluster_options *cluster = &a->cluster;
	struct parse_endpoint endpoint;

	check_engine(a);
	if (!cluster->port)
		die_usage("say where clients find it: --port=N");
	if (a->engine == ENGINE_ETCD)
		return;
	members_check_port("--port", cluster->port);
	if (!cluster->id)
		die_usage("say which server this is: --id=N");
	if (a->advertise) {
		cli_endpoint("--advertise", a->advertise, &endpoint);
		members_check_port("--advertise", endpoint.port);
	}
	if (2 * cluster->heartbeat_ns >= cluster->election_ns)
		die_usage("--heartbeat must be less than half of "
			  "--election-timeout");
	if (cluster->joins && !(a->peers && *a->peers))
		die_usage("--join: say by --peers whom to ask");
	set_address(a);
	if (!a->data) {
		snprintf(a->folder, sizeof(a->folder), "kv-data-%llu",
			 (unsigned long long)cluster->id);
		a->data = a->folder;
	}
	cluster->data = a->data;
	cluster->n =
		members_parse(cluster->id, a->address, a->peers, a->members);
	cluster->members = a->members;
	cluster->notes_commits = a->log == LOG_COMMITS;
}

static void parse(struct arguments *a, int argc, char **argv)
{
	struct cluster_options *cluster = &a->cluster;
	const struct cli_option options[] = {
		CLI_COUNT("id", 'i', "N", &cluster->id, 1, INT64_MAX,
			  "Which server of the cluster this is"),
		CLI_COUNT("port", 'p', "N", &cluster->port, 1, UINT16_MAX,
			  "Port for clients"),
		CLI_TEXT("peers", 'P', "LIST", &a->peers,
			 "The other servers: HOST:PORT,… in the order of their "
			 "ids, or ID=HOST:PORT,… (default: none)"),
		CLI_TEXT("data", 'd', "DIR", &a->data,
			 "Folder of the log (default kv-data-ID)"),
		CLI_TEXT("listen", 'l', "ADDRESS", &a->listen,
			 "Address to listen on (default 127.0.0.1)"),
		CLI_TEXT("advertise", 'a', "HOST:PORT", &a->advertise,
			 "Where the others find this server (default: from "
			 "--listen and --port)"),
		CLI_ON("join", 'j', &cluster->joins,
		       "A new server of a cluster that is there: of --peers; "
		       "then add it by kv_client member add"),
		CLI_DURATION("election-timeout", 'e', "DUR",
			     &cluster->election_ns, 20 * TICK_MS, 60 * TICK_S,
			     "Without a leader for so long: elect another "
			     "(default 1s)"),
		CLI_DURATION("heartbeat", 'b', "DUR", &cluster->heartbeat_ns,
			     5 * TICK_MS, 30 * TICK_S,
			     "How often a leader tells it still is one "
			     "(default 100ms)"),
		CLI_DURATION("fresh", 'f', "DUR", &cluster->fresh_ns, 0,
			     60 * TICK_S,
			     "How often to make sure how old the data here "
			     "is; 0: for each bounded read (default 50ms)"),
		CLI_COUNT("snapshot-entries", 's', "N",
			  &cluster->snapshot_entries, 10, UINT32_MAX,
			  "Entries of the log from one snapshot to the next "
			  "(default 20000)"),
		CLI_SIZE("segment-size", 'S', "SIZE", &cluster->segment_bytes,
			 1 << 18, 1 << 30,
			 "Of the files of the log (default 64M)"),
		CLI_DURATION("slow-sync", 0, "DUR", &cluster->slow_ns, TICK_US,
			     TICK_NEVER / 2,
			     "Log syncs that take longer (default 100ms)"),
		CLI_WORD("engine", 'E', "NAME", &a->engine, engines,
			 "raft (default), or etcd: a store that is there"),
		CLI_TEXT("endpoints", 'u', "LIST", &a->endpoints,
			 "HOST:PORT,… of the servers of that etcd"),
		CLI_OFF("no-cache", 'c', &cluster->has_cache,
			"Do not publish keys in shared memory"),
		CLI_COUNT("max-connections", 'm', "N", &a->max_connections, 1,
			  100000, "Of clients at the same time (default 1000)"),
		CLI_WORD("log", 'L', "WHAT", &a->log, log_words,
			 "Lines on standard error: quiet (default), events, "
			 "commits"),
		{0},
	};
	const struct cli_command command = {.doc = doc, .options = options};

	cli_parse(&command, argc, argv);
	check(a);
}

/* ---- what is said ---- */

/* By any thread; and nobody who does not read it holds one up (lib/cmd/out). What
 * others have told us cannot forge a line. */
static void note(const char *line, void *arg)
{
	const struct arguments *a = arg;
	char text[LINE];
	struct timespec now;
	struct tm tm;
	size_t n;

	if (a->log == LOG_QUIET)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(text, LINE, "time=%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(text + n, LINE - n, ".%03ldZ server=%llu %s",
			      now.tv_nsec / TICK_MS,
			      (unsigned long long)a->cluster.id, line);
	if (n > LINE - 1)
		n = LINE - 1;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	text[n++] = '\n';
	out_put_error(text, n);
}

/* Threads may be anywhere: nothing of ours is cleaned up, and the next start
 * finds it as after a kill. */
static void fail(const char *why, void *arg)
{
	(void)arg;
	die_warn("%s", why);
	_exit(DIE_FAILURE);
}

static void note_event(enum rpc_server_event event, const struct rpc_peer *peer,
		       int error, void *arg)
{
	static const char *const words[] = {
		[RPC_SERVER_BAD_RECORD] = "bad_record",
		[RPC_SERVER_SLOW] = "slow",
		[RPC_SERVER_IDLE] = "idle",
		[RPC_SERVER_EVICTED] = "evicted",
		[RPC_SERVER_NO_MEMORY] = "no_memory",
		[RPC_SERVER_REFUSED] = "refused",
	};
	char line[128];

	(void)peer;
	snprintf(line, sizeof(line), "event=closed why=%s error=%d",
		 words[event], error);
	note(line, arg);
}

/* ---- serving ---- */

struct server {
	struct rpc_server *rpc;
	int stop_fd;
	pthread_t thread;
	bool has_thread;
};

static void *run(void *arg)
{
	struct server *server = arg;
	int error = rpc_server_run(server->rpc, server->stop_fd);

	if (error) {
		die_warn_errno(error, "cannot go on serving");
		_exit(DIE_FAILURE);
	}
	return NULL;
}

/* Of connections: two servers, and what is forwarded for clients, share what the
 * limit of descriptors leaves beside our own. It is raised as far as it can be. */
static unsigned int share_of(unsigned int wanted)
{
	struct rlimit files;
	rlim_t share;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return wanted;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	share = files.rlim_max > OWN_FDS ? (files.rlim_max - OWN_FDS) / 3 : 0;
	return share < wanted ? (unsigned int)share + 1 : wanted;
}

static void open_server(struct server *server, struct arguments *a,
			struct rpc_dispatch dispatch, bool is_for_peers)
{
	uint16_t port = is_for_peers ? service_peer_port(a->cluster.port)
				     : a->cluster.port;
	const struct rpc_server_options options = {
		.dispatch = dispatch,
		.host = a->listen,
		.has_tcp = true,
		.tcp_port = port,
		.max_connections =
			share_of(is_for_peers ? service_peer_connections()
					      : a->max_connections),
		.memory_bytes = MEMORY,
		.record_ns = is_for_peers ? 2 * TICK_S : 0,
		.on_event = note_event,
		.arg = a,
	};
	int error = rpc_server_open(&server->rpc, &options);

	if (error == -EINVAL)
		die_usage("--listen '%s': accepted is an address like "
			  "127.0.0.1 or ::1",
			  a->listen);
	if (error == -EADDRINUSE)
		die("cannot listen on port %u%s: another server does", port,
		    is_for_peers ? " (of its peers)" : "");
	if (error)
		die_errno(error, "cannot listen on %s, port %u", a->listen,
			  port);
}

static int start(struct server *server, int stop_fd)
{
	sigset_t all, old;
	int error;

	server->stop_fd = stop_fd;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&server->thread, NULL, run, server);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	server->has_thread = !error;
	return -error;
}

static void say_ready(const struct arguments *a)
{
	char line[128];

	snprintf(line, sizeof(line), "event=serving engine=%s port=%u",
		 engines[a->engine], a->cluster.port);
	note(line, (void *)(uintptr_t)a);
}

/* Who waits in a call is answered before the servers wait for their calls. */
static int serve(struct arguments *a, struct server servers[2],
		 struct engine *engine)
{
	const uint64_t one = 1;
	int ended_fd = eventfd(0, EFD_CLOEXEC);
	int error = ended_fd < 0 ? -errno : 0;

	for (int i = 0; i < 2 && !error; i++)
		if (servers[i].rpc)
			error = start(&servers[i], ended_fd);
	if (!error) {
		say_ready(a);
		stop_wait(-1, TICK_NEVER);
	}
	if (engine->calls->shut)
		engine->calls->shut(engine);
	if (ended_fd >= 0 && write(ended_fd, &one, sizeof(one)) < 0)
		die_errno(errno, "cannot stop");
	for (int i = 0; i < 2; i++)
		if (servers[i].has_thread)
			pthread_join(servers[i].thread, NULL);
	fdio_close(&ended_fd);
	return error;
}

static struct engine *open_etcd(char *endpoints)
{
	const char *list[GATEWAY_ENDPOINTS_MAX + 1];
	struct engine *engine;
	size_t n = 0, bad = 0;
	char *rest = endpoints;
	int error;

	while (rest && n <= GATEWAY_ENDPOINTS_MAX)
		list[n++] = strsep(&rest, ",");
	error = engine_etcd_open(&engine, list, n, &bad);
	if (error == -EINVAL && n > GATEWAY_ENDPOINTS_MAX)
		die_usage("--endpoints: at most %d", GATEWAY_ENDPOINTS_MAX);
	if (error == -EINVAL)
		die_usage("--endpoints '%s': accepted is HOST:PORT", list[bad]);
	if (error)
		die_errno(error, "cannot begin");
	return engine;
}

/* The cache's object and turnstile have one name. The ledger is advice: what
 * goes wrong there stops nobody. */
static void note_cache(const struct arguments *a,
		       int (*note_it)(enum objname_kind kind, const char *name))
{
	char name[CACHE_NAME_MAX];

	if (a->engine != ENGINE_RAFT || !a->cluster.has_cache)
		return;
	cache_name(name, geteuid(), a->cluster.port);
	note_it(OBJNAME_SHM, name);
	note_it(OBJNAME_SEM, name);
}

static void note_made(void *arg)
{
	note_cache(arg, objname_made);
}

static void open_raft(struct service *service, const struct arguments *a)
{
	char why[CLUSTER_WHY];
	int error;

	note_cache(a, objname_claim);
	error = cluster_open(&service->cluster, &a->cluster, why);
	if (error) {
		note_cache(a, objname_release);
		if (error == -EINVAL)
			die_usage("%s", why);
		die("%s", why);
	}
	service->engine = cluster_engine(service->cluster);
}

int main(int argc, char **argv)
{
	struct arguments a = {
		.listen = "127.0.0.1",
		.max_connections = CLIENTS,
		.cluster = {.has_cache = true,
			    .election_ns = TICK_S,
			    .heartbeat_ns = 100 * TICK_MS,
			    .fresh_ns = 50 * TICK_MS,
			    .slow_ns = 100 * TICK_MS,
			    .snapshot_entries = 20000,
			    .note = note,
			    .fail = fail,
			    .cache_made = note_made},
	};
	struct server servers[2] = {0};
	struct service service = {0};
	char *endpoints = NULL;
	int error;

	parse(&a, argc, argv);
	a.cluster.arg = &a;
	out_as_log();
	error = stop_install();
	if (error)
		die_errno(error, "cannot begin");
	/* The ports first: who has them is not to touch the folder. */
	open_server(&servers[0], &a, service_clients(&service), false);
	if (a.engine == ENGINE_RAFT) {
		open_server(&servers[1], &a, service_peers(&service), true);
		open_raft(&service, &a);
	} else {
		endpoints = strdup(a.endpoints);
		if (!endpoints)
			die("no memory");
		service.engine = open_etcd(endpoints);
	}
	error = serve(&a, servers, service.engine);
	for (int i = 0; i < 2; i++)
		rpc_server_close(servers[i].rpc);
	service.engine->calls->close(service.engine);
	note_cache(&a, objname_release);
	free(endpoints);
	if (error)
		die_errno(error, "cannot serve");
	note("event=stopped", &a);
	return EXIT_SUCCESS;
}
