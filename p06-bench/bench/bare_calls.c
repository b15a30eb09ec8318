/* The channels of the bare loops, and their calls. */
#include "p06-bench/bench/bare.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/fdio.h"

/* What the channel under way is made of; [direction]. */
static int readers[2], writers[2];
static mqd_t posix[2];
static int sysv[2];

static void must(int is_true, const char *what)
{
	if (!is_true)
		die_errno(errno, "%s", what);
}

static void open_pipes(size_t bytes)
{
	(void)bytes;
	for (int i = 0; i < 2; i++) {
		int fds[2];

		must(fdio_pipe(fds) == 0, "pipe");
		readers[i] = fds[0];
		writers[i] = fds[1];
	}
}

static void open_sockets(int type)
{
	int fds[2];

	must(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) == 0,
	     "socketpair");
	writers[0] = readers[1] = fds[0];
	readers[0] = writers[1] = fds[1];
}

static void open_stream(size_t bytes)
{
	(void)bytes;
	open_sockets(SOCK_STREAM);
}

static void open_seqpacket(size_t bytes)
{
	(void)bytes;
	open_sockets(SOCK_SEQPACKET);
}

/* A socket is the reader of one direction and the writer of the other. */
static void close_fds(void)
{
	for (int i = 0; i < 2; i++) {
		if (writers[i] != readers[!i])
			close(writers[i]);
		close(readers[i]);
	}
}

static void write_message(int direction, const void *buf, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = write(writers[direction], (const char *)buf + done,
				  bytes - done);

		must(n > 0, "write");
		done += (size_t)n;
	}
}

static void read_message(int direction, void *buf, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = read(readers[direction], (char *)buf + done,
				 bytes - done);

		must(n > 0, "read");
		done += (size_t)n;
	}
}

static void send_packet(int direction, const void *buf, size_t bytes)
{
	must(send(writers[direction], buf, bytes, 0) == (ssize_t)bytes, "send");
}

static void receive_packet(int direction, void *buf, size_t bytes)
{
	must(recv(readers[direction], buf, bytes, 0) == (ssize_t)bytes, "recv");
}

static void open_posix(size_t bytes)
{
	struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = (long)bytes};
	char name[64];

	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "/unixipc-bare.%d.%d",
			 (int)getpid(), i);
		posix[i] = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
				   0600, &attr);
		must(posix[i] != (mqd_t)-1, "mq_open");
		mq_unlink(name);
	}
}

static void close_posix(void)
{
	mq_close(posix[0]);
	mq_close(posix[1]);
}

static void send_posix(int direction, const void *buf, size_t bytes)
{
	must(mq_send(posix[direction], buf, bytes, 0) == 0, "mq_send");
}

static void receive_posix(int direction, void *buf, size_t bytes)
{
	must(mq_receive(posix[direction], buf, bytes, NULL) == (ssize_t)bytes,
	     "mq_receive");
}

static void open_sysv(size_t bytes)
{
	(void)bytes;
	for (int i = 0; i < 2; i++) {
		sysv[i] = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
		must(sysv[i] >= 0, "msgget");
	}
}

static void close_sysv(void)
{
	msgctl(sysv[0], IPC_RMID, NULL);
	msgctl(sysv[1], IPC_RMID, NULL);
}

/* buf begins with the type, and has room for it besides the bytes. */
static void send_sysv(int direction, const void *buf, size_t bytes)
{
	must(msgsnd(sysv[direction], buf, bytes, 0) == 0, "msgsnd");
}

static void receive_sysv(int direction, void *buf, size_t bytes)
{
	must(msgrcv(sysv[direction], buf, bytes, 0, 0) == (ssize_t)bytes,
	     "msgrcv");
}

const struct bare bare_loops[] = {
	{"pipe", open_pipes, write_message, read_message, close_fds},
	{"unix-stream", open_stream, write_message, read_message, close_fds},
	{"unix-seqpacket", open_seqpacket, send_packet, receive_packet,
	 close_fds},
	{"posix-mq", open_posix, send_posix, receive_posix, close_posix},
	{"sysv-mq", open_sysv, send_sysv, receive_sysv, close_sysv},
	{0},
};
