/* The two ends that an RPC mechanism is measured between: they are each other's,
 * whoever comes between. Linked with --wrap=listen, as that is the moment. */
#include "suite/adapters/rpc_ends.h"

#include "tests/support/support.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fdio.h"

enum { MS = 20000 };

static pid_t stranger;

struct meeting {
	struct sockaddr_storage address;
	socklen_t size;
	int ready;
};

static int connect_as_a_stranger(void *arg)
{
	struct meeting *meeting = arg;
	int fd = socket(meeting->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC,
			0);

	if (connect(fd, (struct sockaddr *)&meeting->address, meeting->size) ||
	    write(meeting->ready, "", 1) != 1)
		return 1;
	for (;;)
		pause();
}

int __real_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog);

/* As soon as somebody listens, another is connected. */
int __wrap_listen(int fd, int backlog)
{
	struct meeting meeting = {.size = sizeof(meeting.address)};
	int rc = __real_listen(fd, backlog);

	assert_int_equal(rc, 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&meeting.address,
				     &meeting.size),
			 0);
	stranger = support_start(connect_as_a_stranger, &meeting,
				 &meeting.ready, MS);
	return rc;
}

static in_port_t port_of(int (*get)(int fd, struct sockaddr *address,
				    socklen_t *size),
			 int fd)
{
	struct sockaddr_in address = {0};
	socklen_t size = sizeof(address);

	assert_int_equal(get(fd, (struct sockaddr *)&address, &size), 0);
	return address.sin_port;
}

static void tcp_ends_are_each_others(void **state)
{
	struct rpc_client *client = NULL;
	int server = -1;

	(void)state;
	assert_int_equal(rpc_ends_open(RPC_TCP, &client, &server), 0);
	assert_int_equal(port_of(getpeername, server),
			 port_of(getsockname, rpc_client_fd(client)));
	rpc_client_close(client);
	fdio_close(&server);
	support_kill(&stranger);
}

static void unix_ends_are_each_others(void **state)
{
	struct rpc_client *client = NULL;
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);
	int server = -1;

	(void)state;
	assert_int_equal(rpc_ends_open(RPC_UNIX, &client, &server), 0);
	assert_int_equal(
		getsockopt(server, SOL_SOCKET, SO_PEERCRED, &peer, &size), 0);
	assert_int_equal(peer.pid, getpid());
	rpc_client_close(client);
	fdio_close(&server);
	support_kill(&stranger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_ends_are_each_others),
		cmocka_unit_test(unix_ends_are_each_others),
	};

	return SUPPORT_MAIN(tests);
}
