#include "p18-rpc-kv/cmd/members.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "p18-rpc-kv/service.h"

void members_check_port(const char *option, unsigned int port)
{
	if (port > SERVICE_PORT_MAX)
		die_usage("%s: port %u is over %d: servers speak to each "
			  "other on the port %d above it",
			  option, port, SERVICE_PORT_MAX, SERVICE_PEER_PORT);
}

/* Returns whether the entry says its id. */
static bool take_entry(const char *text, struct folder_member *member)
{
	const char *equals = strchr(text, '=');
	struct parse_endpoint endpoint;
	char id[24];

	if (equals) {
		snprintf(id, sizeof(id), "%.*s", (int)(equals - text), text);
		member->id = cli_count("--peers", id, 1, INT64_MAX);
		text = equals + 1;
	}
	cli_endpoint("--peers", text, &endpoint);
	if (endpoint.port == 0 || !endpoint.host[0] ||
	    strlen(text) >= sizeof(member->address))
		die_usage("--peers '%s': accepted is HOST:PORT or ID=HOST:PORT",
			  text);
	members_check_port("--peers", endpoint.port);
	memcpy(member->address, text, strlen(text) + 1);
	return equals;
}

static uint32_t take_list(const char *peers,
			  struct folder_member members[FOLDER_MEMBERS_MAX],
			  uint32_t *n_ids)
{
	char text[FOLDER_ADDRESS_MAX + 24];
	uint32_t n = 0;
	size_t len;

	for (;; peers += len + 1) {
		len = strcspn(peers, ",");
		if (len >= sizeof(text))
			die_usage("--peers: '%.40s…' is too long", peers);
		if (n == FOLDER_MEMBERS_MAX - 1)
			die_usage("--peers: a cluster has at most %d servers",
				  FOLDER_MEMBERS_MAX);
		snprintf(text, sizeof(text), "%.*s", (int)len, peers);
		*n_ids += take_entry(text, &members[n++]);
		if (!peers[len])
			return n;
	}
}

static void number(uint64_t own, struct folder_member *members, uint32_t n)
{
	uint64_t id = 1;

	if (n > 0 && own > n + 1)
		die_usage("--id=%llu, and --peers has %u others: say their "
			  "ids, as in 1=HOST:PORT",
			  (unsigned long long)own, n);
	for (uint32_t i = 0; i < n; i++, id++) {
		if (id == own)
			id++;
		members[i].id = id;
	}
}

static int by_id(const void *a, const void *b)
{
	const struct folder_member *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static void check(const struct folder_member *members, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < i; j++) {
			if (members[i].id == members[j].id)
				die_usage("two servers have the id %llu",
					  (unsigned long long)members[i].id);
			if (strcmp(members[i].address, members[j].address) == 0)
				die_usage("servers %llu and %llu are both at "
					  "%s: --peers names the others, and "
					  "not this one",
					  (unsigned long long)members[j].id,
					  (unsigned long long)members[i].id,
					  members[i].address);
		}
}

uint32_t members_parse(uint64_t id, const char *address, const char *peers,
		       struct folder_member members[FOLDER_MEMBERS_MAX])
{
	uint32_t n = 0, n_ids = 0;

	memset(members, 0, FOLDER_MEMBERS_MAX * sizeof(members[0]));
	if (peers && *peers)
		n = take_list(peers, members, &n_ids);
	if (n_ids > 0 && n_ids < n)
		die_usage("--peers: give the ids of all, or of none");
	if (n_ids == 0)
		number(id, members, n);
	members[n].id = id;
	snprintf(members[n].address, sizeof(members[n].address), "%s", address);
	n++;
	qsort(members, n, sizeof(members[0]), by_id);
	check(members, n);
	return n;
}
