/* kv_server --id=N --port=PORT [--peers=HOST:PORT,...]: a store in memory. Each
 * write is forwarded to all peers, and waited for, by one thread (UNP2 16.2).
 *
 *	rpcgen kv.x && rpcgen -m -o kv_svc.c kv.x
 *	gcc -o kv_server kv_server.c kv_svc.c kv_clnt.c kv_xdr.c \
 *		$(pkg-config --cflags --libs libtirpc) */
#include <err.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kv.h"

enum { PEERS_MAX = 8, PEER_SECONDS = 1, TRIES = 20 };

static struct item {
	struct item *next;
	char *key, *value;
} * items;
static struct sockaddr_in peers[PEERS_MAX];
static int n_peers;

void kv_prog_1(struct svc_req *request, SVCXPRT *transport); /* in kv_svc.c */

static struct item *find(const char *key)
{
	struct item *item = items;

	while (item && strcmp(item->key, key) != 0)
		item = item->next;
	return item;
}

/* ---- procedures: what they return is static, as rpcgen's dispatch wants ---- */

int *store_1_svc(pair *p, struct svc_req *request)
{
	static int n = 1;
	struct item *item = find(p->key);

	(void)request;
	if (!item) {
		item = malloc(sizeof(*item));
		*item = (struct item){items, strdup(p->key), NULL};
		items = item;
	}
	free(item->value);
	item->value = strdup(p->value);
	return &n;
}

answer *get_1_svc(name *key, struct svc_req *request)
{
	static answer result;
	struct item *item = find(*key);

	(void)request;
	result = (answer){item != NULL, item ? item->value : ""};
	return &result;
}

/* Whether it has it: not when it cannot be reached for a second, as it may have
 * been started just now, or is silent for one. */
static int forward(pair *p, struct sockaddr_in *peer)
{
	struct timeval patience = {.tv_sec = PEER_SECONDS};
	CLIENT *client = NULL;
	int is_stored, fd;

	for (int i = 0; !client && i < TRIES; i++) {
		if (i > 0)
			usleep(PEER_SECONDS * 1000000 / TRIES);
		fd = RPC_ANYSOCK;
		client = clnttcp_create(peer, KV_PROG, KV_VERS, &fd, 0, 0);
	}
	if (!client)
		return 0;
	clnt_control(client, CLSET_TIMEOUT, (char *)&patience);
	is_stored = store_1(p, client) != NULL;
	clnt_destroy(client);
	return is_stored;
}

int *put_1_svc(pair *p, struct svc_req *request)
{
	static int n;

	n = *store_1_svc(p, request);
	for (int i = 0; i < n_peers; i++)
		n += forward(p, &peers[i]);
	return &n;
}

int *incr_1_svc(name *key, struct svc_req *request)
{
	static int number;
	char value[16];
	struct item *item = find(*key);

	number = 1 + (item ? atoi(item->value) : 0);
	snprintf(value, sizeof(value), "%d", number);
	put_1_svc(&(pair){.key = *key, .value = value}, request);
	return &number;
}

static void add_peers(char *list)
{
	const struct addrinfo hints = {.ai_family = AF_INET};
	struct addrinfo *found;
	char *host;

	while ((host = strsep(&list, ":"))) {
		if (!list || n_peers == PEERS_MAX ||
		    getaddrinfo(host, strsep(&list, ","), &hints, &found))
			errx(2, "no peer '%s'", host);
		memcpy(&peers[n_peers++], found->ai_addr, sizeof(peers[0]));
		freeaddrinfo(found);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	SVCXPRT *transport;

	/* --id is of no use here: servers know each other by address. */
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "--port=", 7) == 0)
			address.sin_port = htons((in_port_t)atoi(argv[i] + 7));
		else if (strncmp(argv[i], "--peers=", 8) == 0)
			add_peers(argv[i] + 8);
		else if (strncmp(argv[i], "--id=", 5) != 0)
			return 2;
	signal(SIGPIPE, SIG_IGN);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* 0 in place of a protocol: rpcbind is not told. */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == -1 ||
	    listen(fd, SOMAXCONN) == -1 ||
	    !(transport = svc_vc_create(fd, 0, 0)) ||
	    !svc_register(transport, KV_PROG, KV_VERS, kv_prog_1, 0))
		err(1, "cannot listen");
	svc_run();
	return 1;
}
