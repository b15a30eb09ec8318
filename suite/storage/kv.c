/* P18: three servers that agree on every change, on this machine. A put is done
 * when it is on the disks of two of them, and a get when a majority has
 * confirmed who leads. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/tick.h"
#include "p18-rpc-kv/kvclient.h"
#include "suite/storage/kv_servers.h"
#include "suite/storage/store.h"

/* Each trial puts them there one after the other. */
enum { RECORDS = 200 };

#define PATIENCE (10 * TICK_S) /* for the servers to become a cluster */

struct site {
	struct store_site store;
	struct kv_servers servers; /* the parent's */
	struct kvclient *kv;       /* the member's own */
};

/* ---- requests ---- */

/* What the table can say of a request that was not done. */
static int error_of(const struct kvclient_report *report)
{
	if (report->outcome == KVCLIENT_DONE)
		return report->status == KV_DONE ? 0 : -EBADMSG;
	if (report->fault.kind == RPC_FAULT_INTERRUPTED)
		return -EINTR;
	return -ETIMEDOUT;
}

static int open_client(struct site *site)
{
	const struct kvclient_options options = {
		.servers = site->servers.at,
		.n_servers = KV_SERVERS,
		.timeout_ns = PATIENCE,
		.replicas_ms = 1,
	};

	return site->kv ? 0 : kvclient_open(&site->kv, &options);
}

static int put_record(struct site *site, uint32_t record)
{
	char key[STORE_KEY], value[STORE_VALUE];
	const kv_change change = {
		.operation = KV_PUT,
		.key = {sizeof(key), key},
		.value = {sizeof(value), value},
	};
	struct kvclient_report report;
	kv_write_result result;

	store_key(record, key);
	store_value(record, ++site->store.writings, value);
	kvclient_write(site->kv, &change, &result, &report);
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
	return error_of(&report);
}

static int get_record(struct site *site, uint32_t record)
{
	char key[STORE_KEY];
	const kv_get_args args = {.key = {sizeof(key), key}};
	struct kvclient_report report;
	kv_get_result result;
	int error;

	store_key(record, key);
	kvclient_get(site->kv, &args, &result, &report);
	error = error_of(&report);
	if (!error)
		error = store_check(record, result.value.kv_value_val,
				    result.value.kv_value_len);
	xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
	return error;
}

static int get(void *state)
{
	struct site *site = state;
	int error = open_client(site);

	return error ? error
		     : get_record(site, store_draw(&site->store) % RECORDS);
}

static int put(void *state)
{
	struct site *site = state;
	int error = open_client(site);

	return error ? error
		     : put_record(site, store_draw(&site->store) % RECORDS);
}

/* ---- life ---- */

static int remove_one(const char *path, const struct stat *status, int type,
		      struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

static void destroy(void *state)
{
	struct site *site = state;

	kvclient_close(site->kv);
	kv_servers_end(&site->servers);
	nftw(site->store.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(site);
}

/* Members come by connections of their own. */
static int fill(struct site *site)
{
	int error = open_client(site);

	for (uint32_t i = 0; i < RECORDS && !error; i++)
		error = put_record(site, i);
	kvclient_close(site->kv);
	site->kv = NULL;
	return error;
}

static int create(void **state, int members)
{
	struct site *site = calloc(1, sizeof(*site));
	int error;

	(void)members;
	if (!site)
		return -ENOMEM;
	error = store_make_folder(&site->store);
	if (error) {
		free(site);
		return error;
	}
	error = kv_servers_start(&site->servers, site->store.folder);
	if (!error)
		error = fill(site);
	if (error)
		destroy(site);
	else
		*state = site;
	return error;
}

const struct store store_kv = {
	.name = "kv",
	.title = "Replicated store",
	.summary =
		"3 servers by RPC: a put is on 2 disks, a get asks a majority",
	.most = "64KB",
};

const struct syncop store_kv_get = {
	.name = "kv get linearizable",
	.title = "kv get, linearizable",
	.is_apart = true,
	.create = create,
	.enter = get,
	.destroy = destroy,
};

const struct syncop store_kv_put_durable = {
	.name = "kv put durable",
	.title = "kv put, durable",
	.is_apart = true,
	.create = create,
	.enter = put,
	.destroy = destroy,
};
