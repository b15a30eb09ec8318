/* Servers of a cluster in this process, over the loopback, each with threads, ports
 * and a folder of its own: for test programs that want to look inside, or to run
 * it all under a sanitizer. For one test program: it has globals. */
#ifndef UNIXIPC_TESTS_P18_HOSTS_H
#define UNIXIPC_TESTS_P18_HOSTS_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_server.h"
#include "lib/tick.h"
#include "p18-rpc-kv/cluster.h"
#include "p18-rpc-kv/service.h"
#include "tests/support/scratch.h"
#include "tests/support/support.h"

enum {
	HOSTS = 3,
	HOSTS_PORT = 21100, /* of the first; of peers 10000 above */
	HOSTS_MS = 10000,   /* for what has to happen */
	HOSTS_CLIENTS = 40, /* connections */
	HOSTS_PEERS = 80,   /* of servers to each other */
};

struct host {
	struct service service;
	struct rpc_server *servers[2];
	pthread_t threads[2];
	int ended_fd;
	bool is_up;
};

static struct scratch scratch;
static struct host hosts[HOSTS];
static struct folder_member members[HOSTS];
static bool has_cache;
static uint64_t snapshot_entries;

static inline void note_line(const char *line, void *arg)
{
	(void)arg;
	if (getenv("VERBOSE"))
		fprintf(stderr, "%s\n", line);
}

static inline void end_all(const char *why, void *arg)
{
	(void)arg;
	fprintf(stderr, "a server has failed: %s\n", why);
	_exit(1);
}

static inline uint16_t port_of(int i)
{
	return (uint16_t)(HOSTS_PORT + i);
}

struct host_run {
	struct rpc_server *server;
	int fd;
};

static inline void *run_server(void *arg)
{
	struct host_run *run = arg;

	rpc_server_run(run->server, run->fd);
	free(run);
	return NULL;
}

static inline void serve_one(struct host *host, int which, int i)
{
	const struct rpc_server_options options = {
		.dispatch = which ? service_peers(&host->service)
				  : service_clients(&host->service),
		.host = "127.0.0.1",
		.has_tcp = true,
		.tcp_port = which ? service_peer_port(port_of(i)) : port_of(i),
		.max_connections = which ? HOSTS_PEERS : HOSTS_CLIENTS,
		.memory_bytes = 64 << 20,
		.record_ns = which ? 2 * TICK_S : 0,
	};
	struct host_run *run = malloc(sizeof(*run));

	assert_non_null(run);
	assert_int_equal(rpc_server_open(&host->servers[which], &options), 0);
	run->server = host->servers[which];
	run->fd = host->ended_fd;
	assert_int_equal(
		pthread_create(&host->threads[which], NULL, run_server, run),
		0);
}

static inline void start_host(int i)
{
	struct cluster_options options = {
		.id = members[i].id,
		.members = members,
		.n = HOSTS,
		.has_cache = has_cache,
		.port = port_of(i),
		.election_ns = 300 * TICK_MS,
		.heartbeat_ns = 50 * TICK_MS,
		.slow_ns = TICK_S,
		.fresh_ns = 20 * TICK_MS,
		.snapshot_entries = snapshot_entries ? snapshot_entries : 10000,
		.segment_bytes = 1 << 20,
		.note = note_line,
		.fail = end_all,
	};
	struct host *host = &hosts[i];
	char name[16], why[CLUSTER_WHY];

	snprintf(name, sizeof(name), "data-%d", i);
	options.data = scratch_path(&scratch, name);
	host->ended_fd = eventfd(0, EFD_CLOEXEC);
	assert_true(host->ended_fd >= 0);
	if (cluster_open(&host->service.cluster, &options, why))
		fail_msg("%s", why);
	host->service.engine = cluster_engine(host->service.cluster);
	serve_one(host, 0, i);
	serve_one(host, 1, i);
	host->is_up = true;
}

static inline void stop_host(int i)
{
	const uint64_t one = 1;
	struct host *host = &hosts[i];
	struct engine *engine = host->service.engine;

	if (!host->is_up)
		return;
	engine->calls->shut(engine);
	assert_int_equal(write(host->ended_fd, &one, sizeof(one)), sizeof(one));
	for (int which = 0; which < 2; which++) {
		pthread_join(host->threads[which], NULL);
		rpc_server_close(host->servers[which]);
	}
	engine->calls->close(engine);
	close(host->ended_fd);
	host->is_up = false;
}

static inline int start_hosts(void **state)
{
	(void)state;
	scratch_make(&scratch);
	for (int i = 0; i < HOSTS; i++) {
		members[i].id = (uint64_t)i + 1;
		snprintf(members[i].address, sizeof(members[i].address),
			 "localhost:%u", port_of(i));
	}
	for (int i = 0; i < HOSTS; i++)
		start_host(i);
	return 0;
}

static inline int stop_hosts(void **state)
{
	(void)state;
	for (int i = 0; i < HOSTS; i++)
		stop_host(i);
	scratch_remove(&scratch);
	has_cache = false;
	snapshot_entries = 0;
	return 0;
}

/* ---- asking them ---- */

static inline struct engine *engine_at(int i)
{
	return hosts[i].service.engine;
}

static inline kv_key key_of(const char *text)
{
	return (kv_key){(u_int)strlen(text), (char *)(uintptr_t)text};
}

static inline kv_write_args put_args(const char *key, const char *value)
{
	return (kv_write_args){
		.change = {.operation = KV_PUT,
			   .key = key_of(key),
			   .value = {(u_int)strlen(value),
				     (char *)(uintptr_t)value}},
		.timeout_ms = HOSTS_MS,
	};
}

static inline kv_write_result write_at(int i, const kv_write_args *args)
{
	kv_write_result result = {0};

	engine_at(i)->calls->write(engine_at(i), args, &result);
	free(result.text);
	result.text = NULL;
	return result;
}

static inline void put_at(int i, const char *key, const char *value)
{
	kv_write_args args = put_args(key, value);
	static uint64_t sequence;

	/* By name, as a leader that goes may take the answer with it. */
	args.change.id.client[0] = 'h';
	args.change.id.sequence = ++sequence;
	assert_int_equal(write_at(i, &args).status, KV_DONE);
}

/* The value; "" for none. */
static inline kv_status get_at(int i, kv_consistency consistency,
			       const char *key, char value[64])
{
	const kv_get_args args = {
		.freshness = {.consistency = consistency,
			      .bound_ms = 1000,
			      .timeout_ms = HOSTS_MS},
		.key = key_of(key),
	};
	kv_get_result result = {0};
	kv_status status;

	engine_at(i)->calls->get(engine_at(i), &args, &result);
	snprintf(value, 64, "%.*s", (int)result.value.kv_value_len,
		 result.value.kv_value_val ? result.value.kv_value_val : "");
	status = result.status;
	xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
	return status;
}

/* Without its members. */
static inline kv_status_result status_at(int i)
{
	kv_status_result status = {0}, copy;

	engine_at(i)->calls->status(engine_at(i), &status);
	copy = status;
	copy.members.members_val = NULL;
	xdr_free((xdrproc_t)xdr_kv_status_result, (char *)&status);
	return copy;
}

static inline bool has_leader(void *arg)
{
	int *found = arg;

	for (int i = 0; i < HOSTS; i++)
		if (hosts[i].is_up && status_at(i).role == KV_LEADER) {
			*found = i;
			return true;
		}
	return false;
}

static inline int leader(void)
{
	int found = -1;

	assert_true(support_wait_until(has_leader, &found, HOSTS_MS));
	return found;
}

#endif
