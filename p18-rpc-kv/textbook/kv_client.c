/* kv_client --server=HOST:PORT put KEY VALUE | get KEY | incr KEY: calls a server,
 * and calls again when there is no answer, for five seconds.
 *
 *	rpcgen kv.x
 *	gcc -o kv_client kv_client.c kv_clnt.c kv_xdr.c \
 *		$(pkg-config --cflags --libs libtirpc) */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kv.h"

enum { SECONDS = 5, CALL_SECONDS = 2, AGAIN_US = 50000 };

static int find(char *server, struct sockaddr_in *address)
{
	const struct addrinfo hints = {.ai_family = AF_INET,
				       .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char *colon = strchr(server, ':');

	if (colon)
		*colon = '\0';
	if (!colon || getaddrinfo(server, colon + 1, &hints, &found) != 0)
		return -1;
	memcpy(address, found->ai_addr, sizeof(*address));
	freeaddrinfo(found);
	return 0;
}

/* Returns whether there was an answer, and *status. */
static int call(CLIENT *client, char **words, int *status)
{
	int *n;
	answer *a;

	if (strcmp(words[0], "put") == 0 && words[1] && words[2]) {
		n = put_1(&(pair){words[1], words[2]}, client);
		if (n)
			printf("OK (replicated to %d nodes)\n", *n);
		return n != NULL;
	}
	if (strcmp(words[0], "incr") == 0 && words[1]) {
		n = incr_1(&words[1], client);
		if (n)
			printf("%d\n", *n);
		return n != NULL;
	}
	if (strcmp(words[0], "get") == 0 && words[1]) {
		a = get_1(&words[1], client);
		if (a && a->is_there)
			puts(a->value);
		else
			*status = 1;
		return a != NULL;
	}
	*status = 2;
	return 1;
}

int main(int argc, char **argv)
{
	static const char option[] = "--server=";
	const struct timeval patience = {.tv_sec = CALL_SECONDS};
	struct sockaddr_in address;
	time_t end = time(NULL) + SECONDS;
	int status = 0;

	if (argc < 3 || strncmp(argv[1], option, strlen(option)) != 0 ||
	    find(argv[1] + strlen(option), &address) == -1)
		return 2;
	for (;;) {
		int fd = RPC_ANYSOCK;
		CLIENT *client =
			clnttcp_create(&address, KV_PROG, KV_VERS, &fd, 0, 0);

		if (client) {
			clnt_control(client, CLSET_TIMEOUT, (char *)&patience);
			if (call(client, argv + 2, &status))
				return status;
			clnt_perror(client, "kv_client");
			clnt_destroy(client);
		}
		if (time(NULL) >= end)
			break;
		/* A server that has just been started may not listen yet. */
		usleep(AGAIN_US);
	}
	fputs("kv_client: failed\n", stderr);
	return 1;
}
