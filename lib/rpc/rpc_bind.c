/* rpc_bind.c - rpcbind is an RPC program as any other, so the client of this
 * folder talks to it, in version 3 over its Unix socket.
 *
 * rpcbind never forgets by itself: a killed server stays registered. So all
 * that it knows is listed first, and what is there under our numbers is
 * called: a server that answers may stay, and we do not start. Where rpcbind
 * lives, and with it the servers that are registered, the list of our
 * namespace's Unix sockets says: it has rpcbind's, or it has not. */
#include "lib/rpc/rpc_bind.h"

#include <errno.h>
#include <rpc/rpcb_prot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/rpc/rpc_client.h"
#include "lib/tick.h"

enum {
	ADDRESS_MAX = 128, /* of a path, or of a number with its port */
	PROBE_MS = 1000,   /* for a server that may be dead */
};

/* One line of what we register. */
struct entry {
	uint32_t program, version;
	const char *netid;
	char address[ADDRESS_MAX];
};

/* ---- what there is to register ---- */

static bool is_ipv6(const struct rpc_bind_service *service)
{
	return service->host && strchr(service->host, ':');
}

/* An address as rpcbind wants it: host.high.low (RFC 5665). */
static void write_address(struct entry *entry,
			  const struct rpc_bind_service *service, uint16_t port)
{
	snprintf(entry->address, sizeof(entry->address), "%s.%u.%u",
		 service->host ? service->host : "0.0.0.0",
		 (unsigned int)port >> 8, port & 0xffu);
}

/* The entries are numbered: three transports of each program and version.
 * False for a transport that is not served. */
static bool get_entry(const struct rpc_bind_service *service, size_t i,
		      struct entry *entry)
{
	const struct rpc_program *program =
		&service->programs[i / RPC_TRANSPORTS];

	entry->program = program->program;
	entry->version = program->version;
	switch ((enum rpc_transport)(i % RPC_TRANSPORTS)) {
	case RPC_TCP:
		entry->netid = is_ipv6(service) ? "tcp6" : "tcp";
		write_address(entry, service, service->tcp_port);
		return service->tcp_port != 0;
	case RPC_UDP:
		entry->netid = is_ipv6(service) ? "udp6" : "udp";
		write_address(entry, service, service->udp_port);
		return service->udp_port != 0;
	default:
		entry->netid = "local";
		snprintf(entry->address, sizeof(entry->address), "%s",
			 service->unix_path ? service->unix_path : "");
		return service->unix_path;
	}
}

static size_t count_entries(const struct rpc_bind_service *service)
{
	return service->n_programs * RPC_TRANSPORTS;
}

static bool has_program(const struct rpc_bind_service *service,
			const RPCB *there)
{
	for (size_t i = 0; i < service->n_programs; i++)
		if (service->programs[i].program == there->r_prog &&
		    service->programs[i].version == there->r_vers)
			return true;
	return false;
}

/* Exactly what we (would) have registered. */
static bool is_ours(const struct rpc_bind_service *service, const RPCB *there)
{
	struct entry entry;

	for (size_t i = 0; i < count_entries(service); i++)
		if (get_entry(service, i, &entry) &&
		    entry.program == there->r_prog &&
		    entry.version == there->r_vers &&
		    strcmp(entry.netid, there->r_netid) == 0 &&
		    strcmp(entry.address, there->r_addr) == 0)
			return true;
	return false;
}

/* ---- talking to rpcbind ---- */

static int error_of(const struct rpc_fault *fault)
{
	switch (fault->kind) {
	case RPC_FAULT_NONE:
		return 0;
	case RPC_FAULT_TIMED_OUT:
		return -ETIMEDOUT;
	case RPC_FAULT_INTERRUPTED:
		return -EINTR;
	case RPC_FAULT_UNREACHABLE:
	case RPC_FAULT_LOCAL:
		return fault->error ? -fault->error : -EPROTO;
	default:
		return -EPROTO;
	}
}

/* Not 0, which stands for the default. */
static int64_t left(int64_t deadline)
{
	int64_t ns = tick_left(deadline);

	return ns > 0 ? ns : 1;
}

static int open_rpcbind(const struct rpc_bind_service *service,
			int64_t deadline, struct rpc_client **client)
{
	const struct rpc_client_options options = {
		.transport = RPC_UNIX,
		.unix_path = service->rpcbind_path ? service->rpcbind_path
						   : RPC_BIND_SOCKET,
		.program = RPCBPROG,
		.version = RPCBVERS,
		.connect_ns = left(deadline),
	};
	struct rpc_fault fault;

	rpc_client_open(client, &options, &fault);
	return error_of(&fault);
}

/* SET or UNSET. -EPERM when rpcbind says no. */
static int change(struct rpc_client *client, uint32_t procedure,
		  const RPCB *what, int64_t deadline)
{
	struct rpc_fault fault;
	bool_t is_done = FALSE;

	rpc_client_set_timeout(client, left(deadline));
	rpc_client_call(client, procedure, (xdrproc_t)xdr_rpcb, what,
			(xdrproc_t)xdr_bool, &is_done, &fault);
	if (fault.kind)
		return error_of(&fault);
	return is_done ? 0 : -EPERM;
}

/* The caller frees *list with free_list(). */
static int list_all(struct rpc_client *client, int64_t deadline,
		    rpcblist_ptr *list)
{
	struct rpc_fault fault;

	*list = NULL;
	rpc_client_set_timeout(client, left(deadline));
	rpc_client_call(client, RPCBPROC_DUMP, NULL, NULL,
			(xdrproc_t)xdr_rpcblist_ptr, list, &fault);
	if (fault.kind)
		*list = NULL;
	return error_of(&fault);
}

static void free_list(rpcblist_ptr *list)
{
	xdr_free((xdrproc_t)xdr_rpcblist_ptr, list);
}

/* Where /etc/services does not know sunrpc, rpcbind opens its Unix socket, says
 * nothing, and nobody else can ask it. It lists itself as any program. */
static bool is_for_others(rpcblist_ptr list)
{
	for (rpcblist_ptr at = list; at; at = at->rpcb_next)
		if (at->rpcb_map.r_prog == RPCBPROG &&
		    (strncmp(at->rpcb_map.r_netid, "tcp", 3) == 0 ||
		     strncmp(at->rpcb_map.r_netid, "udp", 3) == 0))
			return true;
	return false;
}

/* ---- is somebody there? ---- */

/* The number behind the last dot of text, which is cut off there. */
static int cut_byte(char *text, unsigned long *byte)
{
	char *end, *dot = strrchr(text, '.');

	if (!dot || dot[1] < '0' || dot[1] > '9')
		return -EINVAL;
	*byte = strtoul(dot + 1, &end, 10);
	*dot = '\0';
	return *end || *byte > 255 ? -EINVAL : 0;
}

/* Split "host.high.low"; the host as a client on this machine calls it. */
static int split_address(const char *address, char *host, uint16_t *port)
{
	unsigned long high, low;

	if (strlen(address) >= ADDRESS_MAX)
		return -EINVAL;
	snprintf(host, ADDRESS_MAX, "%s", address);
	if (cut_byte(host, &low) || cut_byte(host, &high) || !*host)
		return -EINVAL;
	if (strcmp(host, "0.0.0.0") == 0)
		snprintf(host, ADDRESS_MAX, "127.0.0.1");
	else if (strcmp(host, "::") == 0)
		snprintf(host, ADDRESS_MAX, "::1");
	*port = (uint16_t)(high << 8 | low);
	return 0;
}

/* On a port that is ours now nobody else is, whatever the address says; and we
 * ourselves do not answer yet. */
static bool is_our_port(const struct rpc_bind_service *service,
			const RPCB *there)
{
	char host[ADDRESS_MAX];
	uint16_t port;

	if (split_address(there->r_addr, host, &port))
		return false;
	if (strncmp(there->r_netid, "udp", 3) == 0)
		return port == service->udp_port;
	return strncmp(there->r_netid, "tcp", 3) == 0 &&
	       port == service->tcp_port;
}

/* Whether a server answers there for this program and version. One that does
 * not answer in time is taken for alive: it may be stopped. */
static bool is_alive(const RPCB *there, int64_t deadline)
{
	int64_t until = tick_after(PROBE_MS * TICK_MS);
	struct rpc_client_options options = {
		.program = there->r_prog,
		.version = there->r_vers,
		.unix_path = there->r_addr,
		.retries = 2,
	};
	char host[ADDRESS_MAX];
	struct rpc_client *client;
	struct rpc_fault fault;

	options.connect_ns = options.timeout_ns =
		left(until < deadline ? until : deadline);
	options.retry_ns = options.timeout_ns / 8 + 1;
	if (strncmp(there->r_netid, "local", 5) == 0)
		options.transport = RPC_UNIX;
	else if (strncmp(there->r_netid, "udp", 3) == 0)
		options.transport = RPC_UDP;
	else if (strncmp(there->r_netid, "tcp", 3) != 0)
		return false;
	if (options.transport != RPC_UNIX) {
		if (split_address(there->r_addr, host, &options.port))
			return false;
		options.host = host;
	}
	if (options.transport != RPC_UDP)
		options.retries = 0;
	if (rpc_client_open(&client, &options, &fault) == 0) {
		rpc_client_call(client, 0, NULL, NULL, NULL, NULL, &fault);
		rpc_client_close(client);
	}
	return fault.kind == RPC_FAULT_NONE || fault.kind == RPC_FAULT_AUTH ||
	       fault.kind == RPC_FAULT_PROCEDURE ||
	       fault.kind == RPC_FAULT_TIMED_OUT || fault.error == ETIMEDOUT;
}

/* Whether a line of /proc/net/unix is of a socket that listens at that file. It
 * is cut into words: address, references, protocol, flags, type, state, inode,
 * path. */
static bool is_listening_at(char *line, const struct stat *file)
{
	enum { ACCEPTS = 1 << 16 }; /* __SO_ACCEPTCON of the kernel */
	enum { FLAGS = 3, PATH = 7, WORDS };
	struct stat status;
	char *words[WORDS], *saveptr;
	int n = 0;

	for (char *word = strtok_r(line, " \n", &saveptr); word && n < WORDS;
	     word = strtok_r(NULL, " \n", &saveptr))
		words[n++] = word;
	return n == WORDS && strtoul(words[FLAGS], NULL, 16) & ACCEPTS &&
	       words[PATH][0] == '/' && stat(words[PATH], &status) == 0 &&
	       status.st_dev == file->st_dev && status.st_ino == file->st_ino;
}

/* Whether rpcbind's addresses are of our network namespace, as far as we can
 * see. */
static bool is_our_network(const struct rpc_bind_service *service)
{
	const char *path =
		service->rpcbind_path ? service->rpcbind_path : RPC_BIND_SOCKET;
	char line[512];
	struct stat file;
	bool is = false;
	FILE *sockets;

	if (stat(path, &file))
		return false;
	sockets = fopen("/proc/thread-self/net/unix", "re");
	if (!sockets)
		return false;
	while (!is && fgets(line, sizeof(line), sockets))
		is = is_listening_at(line, &file);
	fclose(sockets);
	return is;
}

/* ---- setting ---- */

static int unset(struct rpc_client *client, const RPCB *there, int64_t deadline)
{
	RPCB what = *there;

	what.r_addr = what.r_owner = (char[]){""};
	return change(client, RPCBPROC_UNSET, &what, deadline);
}

/* Not over our transport: a server of IPv4 and one of IPv6 may stand side by
 * side. */
static bool is_of_other_family(const struct rpc_bind_service *service,
			       const RPCB *there)
{
	size_t len = strlen(there->r_netid);

	return (service->tcp_port || service->udp_port) &&
	       strcmp(there->r_netid, "local") != 0 && len > 0 &&
	       (there->r_netid[len - 1] == '6') != is_ipv6(service);
}

/* Whether a live server has it. */
static bool is_taken(const struct rpc_bind_service *service, const RPCB *there,
		     int64_t deadline)
{
	return has_program(service, there) && !is_ours(service, there) &&
	       (is_of_other_family(service, there) ||
		!is_our_port(service, there)) &&
	       is_alive(there, deadline);
}

/* Whether a server at that address would answer us, if it lives. */
static bool is_within_reach(const RPCB *there, bool is_near)
{
	return is_near || strcmp(there->r_netid, "local") == 0;
}

/* Whether it is in our way. Returns 0, -EXDEV or -EADDRINUSE. */
static int find_in_the_way(const struct rpc_bind_service *service,
			   const RPCB *there, bool is_near, int64_t deadline)
{
	if (is_of_other_family(service, there) || !has_program(service, there))
		return 0;
	if (!is_within_reach(there, is_near))
		return -EXDEV;
	return is_taken(service, there, deadline) ? -EADDRINUSE : 0;
}

/* Make room for our entries. */
static int remove_dead(const struct rpc_bind_service *service,
		       struct rpc_client *client, int64_t deadline)
{
	const bool is_near = is_our_network(service);
	rpcblist_ptr list;
	int rc = list_all(client, deadline, &list);

	if (!rc && (service->tcp_port || service->udp_port) &&
	    !is_for_others(list))
		rc = -EPROTONOSUPPORT;
	/* First all are asked, so that nothing is removed for nothing. */
	for (rpcblist_ptr at = list; at && !rc; at = at->rpcb_next)
		rc = find_in_the_way(service, &at->rpcb_map, is_near, deadline);
	for (rpcblist_ptr at = list; at && !rc; at = at->rpcb_next)
		if (has_program(service, &at->rpcb_map) &&
		    is_within_reach(&at->rpcb_map, is_near) &&
		    !is_taken(service, &at->rpcb_map, deadline))
			rc = unset(client, &at->rpcb_map, deadline);
	free_list(&list);
	return rc;
}

static int set_all(const struct rpc_bind_service *service,
		   struct rpc_client *client, int64_t deadline)
{
	struct entry entry;
	char owner[] = "";
	int rc = 0;

	for (size_t i = 0; i < count_entries(service) && !rc; i++) {
		if (!get_entry(service, i, &entry))
			continue;
		const RPCB what = {
			.r_prog = entry.program,
			.r_vers = entry.version,
			.r_netid = (char *)(uintptr_t)entry.netid,
			.r_addr = entry.address,
			.r_owner = owner,
		};

		rc = change(client, RPCBPROC_SET, &what, deadline);
	}
	return rc;
}

/* Whatever is exactly ours. */
static int unset_all(const struct rpc_bind_service *service,
		     struct rpc_client *client, int64_t deadline)
{
	rpcblist_ptr list;
	int one, rc = list_all(client, deadline, &list);

	for (rpcblist_ptr at = list; at; at = at->rpcb_next) {
		if (!is_ours(service, &at->rpcb_map))
			continue;
		one = unset(client, &at->rpcb_map, deadline);
		if (!rc)
			rc = one;
	}
	free_list(&list);
	return rc;
}

int rpc_bind_set(const struct rpc_bind_service *service, int64_t deadline)
{
	struct rpc_client *client;
	int rc = open_rpcbind(service, deadline, &client);

	if (rc)
		return rc;
	rc = remove_dead(service, client, deadline);
	if (!rc) {
		rc = set_all(service, client, deadline);
		if (rc)
			unset_all(service, client, deadline);
	}
	rpc_client_close(client);
	return rc;
}

int rpc_bind_unset(const struct rpc_bind_service *service, int64_t deadline)
{
	struct rpc_client *client;
	int rc = open_rpcbind(service, deadline, &client);

	if (rc)
		return rc;
	rc = unset_all(service, client, deadline);
	rpc_client_close(client);
	return rc;
}

const char *rpc_bind_remedy(int error)
{
	if (error == -EPROTONOSUPPORT)
		return "give it /etc/services (as root: apt-get install "
		       "netbase) and start it again";
	return "start it (as root: apt-get install rpcbind; rpcbind -w)";
}
