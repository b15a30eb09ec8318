/* rpc_address.c - a question to the resolver belongs to two threads, and the
 * one that leaves it last releases it. An eventfd says that the answer is
 * there, as one waits for it until a deadline and a signal ends the wait. */
#include "lib/rpc/rpc_address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"

enum { HOST_MAX = NI_MAXHOST };

struct question {
	char host[HOST_MAX];
	int fd;
	atomic_int owners;
	int error; /* of getaddrinfo */
	struct addrinfo *found;
};

static const struct addrinfo hints = {
	.ai_family = AF_UNSPEC,
	.ai_socktype = SOCK_STREAM,
};

static void release(struct question *question)
{
	if (question->found)
		freeaddrinfo(question->found);
	fdio_close(&question->fd);
	free(question);
}

static void leave(struct question *question)
{
	/* Releases what this owner wrote, acquires what the other one did. */
	if (atomic_fetch_sub_explicit(&question->owners, 1,
				      memory_order_acq_rel) == 1)
		release(question);
}

static void *resolve(void *arg)
{
	struct question *question = arg;
	const uint64_t one = 1;

	question->error =
		getaddrinfo(question->host, NULL, &hints, &question->found);
	/* Cannot fail, nor block: it is the only one. */
	if (write(question->fd, &one, sizeof(one)) < 0)
		question->error = EAI_SYSTEM;
	leave(question);
	return NULL;
}

static int start(struct question *question, pthread_t *thread)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(thread, NULL, resolve, question);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -error;
}

static int copy(struct rpc_address *addresses, const struct addrinfo *found)
{
	int n = 0;

	memset(addresses, 0, RPC_ADDRESS_MOST * sizeof(*addresses));
	for (; found && n < RPC_ADDRESS_MOST; found = found->ai_next) {
		if (found->ai_family != AF_INET && found->ai_family != AF_INET6)
			continue;
		memcpy(&addresses[n].storage, found->ai_addr,
		       found->ai_addrlen);
		addresses[n++].bytes = found->ai_addrlen;
	}
	return n;
}

/* The answer of the thread, if it comes in time. One that is late is left alone:
 * getaddrinfo(3) cannot be ended. */
static int await(struct question *question, pthread_t thread,
		 struct rpc_address *addresses, int64_t deadline, int *error)
{
	int rc = fdio_wait(question->fd, POLLIN, deadline);

	*error = EAI_AGAIN;
	if (rc < 0) {
		pthread_detach(thread);
		return rc == -ETIMEDOUT ? 0 : rc;
	}
	pthread_join(thread, NULL);
	*error = question->error;
	return *error ? 0 : copy(addresses, question->found);
}

static int ask(struct rpc_address *addresses, const char *host,
	       int64_t deadline, int *error)
{
	struct question *question = calloc(1, sizeof(*question));
	pthread_t thread;
	int rc;

	if (!question)
		return -ENOMEM;
	snprintf(question->host, sizeof(question->host), "%s", host);
	atomic_init(&question->owners, 2);
	question->fd = eventfd(0, EFD_CLOEXEC);
	question->fd = question->fd < 0 ? -errno : fdio_above_std(question->fd);
	rc = question->fd < 0 ? question->fd : start(question, &thread);
	if (rc) {
		release(question);
		return rc;
	}
	rc = await(question, thread, addresses, deadline, error);
	leave(question);
	return rc;
}

int rpc_address_resolve(struct rpc_address *addresses, const char *host,
			int64_t deadline, int *error)
{
	struct addrinfo numbers = hints, *found = NULL;
	char name[HOST_MAX];
	size_t n = strlen(host);
	int count;

	*error = EAI_NONAME;
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof(name))
		return 0;
	memcpy(name, host, n);
	name[n] = '\0';
	numbers.ai_flags = AI_NUMERICHOST;
	if (getaddrinfo(name, NULL, &numbers, &found))
		return ask(addresses, name, deadline, error);
	count = copy(addresses, found);
	freeaddrinfo(found);
	return count;
}

int rpc_address_of_path(struct rpc_address *address, const char *path)
{
	struct sockaddr_un *un = (void *)&address->storage;

	memset(address, 0, sizeof(*address));
	if (!path || !*path)
		return -EINVAL;
	if (strlen(path) >= sizeof(un->sun_path))
		return -ENAMETOOLONG;
	un->sun_family = AF_UNIX;
	snprintf(un->sun_path, sizeof(un->sun_path), "%s", path);
	address->bytes = sizeof(*un);
	return 0;
}

void rpc_address_set_port(struct rpc_address *address, uint16_t port)
{
	if (address->storage.ss_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)&address->storage)->sin6_port =
			htons(port);
	else
		((struct sockaddr_in *)(void *)&address->storage)->sin_port =
			htons(port);
}

bool rpc_address_is_loopback(const struct rpc_address *address)
{
	const struct sockaddr_in6 *in6 = (const void *)&address->storage;
	const struct sockaddr_in *in = (const void *)&address->storage;

	if (address->storage.ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	return address->storage.ss_family == AF_INET &&
	       ntohl(in->sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
}
