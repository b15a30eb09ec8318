/* client.c - the request is one write(2); then two ends are watched.
 *
 * Our reply FIFO says that an answer is there. The server's FIFO, which we
 * hold open for writing, says that nobody reads it any more: poll(2) reports
 * POLLERR on a write end without a reader. So a server that dies is noticed
 * at once and not at the deadline. Where the next one has opened the FIFO before
 * we look there is no POLLERR, and we sleep on: so we also look now and then
 * whether its reader is still of the generation that we asked.
 */
#include "p02-fifo/client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/frame.h"
#include "lib/tick.h"
#include "p02-fifo/inbox.h"
#include "p02-fifo/message.h"

/* How often to look for changes that wake no poll(2). */
static const int64_t LOOK_AGAIN_NS = 50 * TICK_MS;
/* How old what is known of the server may be when it is asked: to look before
 * each request would cost a twentieth of it. */
static const int64_t GENERATION_IS_NEW_NS = TICK_MS;

struct client {
	struct client_options options;
	struct fifo fifo; /* where answers come */
	int server_fd;    /* the server's FIFO; -1 while there is none */
	int64_t server_generation; /* fifo_reader_generation() when we asked */
	int64_t generation_until;  /* how long that is new */
	struct inbox inbox;
	bool is_disturbed; /* something came that was no answer of ours */
	size_t frame_size;
	unsigned char frame[PIPE_BUF];  /* with the present request */
	struct message_request request; /* of the next question */
};

/* A number that no process has: beyond the largest pid, proc(5). */
static int draw_number(int32_t *number)
{
	const int32_t pids = 1 << 22;

	if (getrandom(number, sizeof(*number), 0) < 0)
		return -errno;
	*number = (*number & INT32_MAX) | pids;
	return 0;
}

/* In our name if it is free. */
static int make_reply_fifo(struct client *client)
{
	const struct client_options *options = &client->options;
	char path[sizeof(client->fifo.path)];
	int rc = 0;

	client->request.pid = getpid();
	for (int tries = 0; tries < 256 && !rc; tries++) {
		rc = fifo_reply_path(path, sizeof(path), options->path,
				     client->request.pid);
		if (!rc)
			rc = fifo_create(&client->fifo, path, 0600);
		if (rc != -EADDRINUSE && rc != -ENOTUNIQ)
			return rc;
		rc = draw_number(&client->request.pid);
	}
	return rc ? rc : -EADDRINUSE;
}

int client_open(struct client **out, const struct client_options *options)
{
	struct client *client = calloc(1, sizeof(*client));
	int rc = 0;

	*out = NULL;
	if (!client)
		return -ENOMEM;
	client->options = *options;
	client->server_fd = -1;
	client->request.uid = geteuid();
	if (getrandom(&client->request.head.nonce,
		      sizeof(client->request.head.nonce), 0) < 0)
		rc = -errno;
	if (!rc)
		rc = make_reply_fifo(client);
	if (rc) {
		free(client);
		return rc;
	}
	inbox_init(&client->inbox, client->fifo.read_fd);
	*out = client;
	return 0;
}

const char *client_reply_path(const struct client *client)
{
	return client->fifo.path;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

enum { OURS, STOP, SERVER, WATCHED };

/* Wait for these events of fd, or until the server's end has lost its reader.
 * Returns 0, -ETIMEDOUT, or -EINTR on a stop or after a signal. */
static int wait_for(const struct client *client, int fd, short events,
		    int64_t deadline)
{
	struct pollfd pfds[WATCHED] = {
		[OURS] = {.fd = fd, .events = events},
		[STOP] = {.fd = client->options.stop_fd, .events = POLLIN},
		[SERVER] = {.fd = client->server_fd}, /* POLLERR comes anyway */
	};
	int n = poll(pfds, WATCHED, tick_left_ms(deadline));

	if (n < 0)
		return -errno;
	if (pfds[STOP].revents)
		return -EINTR;
	return n == 0 ? -ETIMEDOUT : 0;
}

/* Whether the FIFO that our request went to has the same reader as then. */
static bool has_same_server(struct client *client)
{
	int events = fdio_wait(client->server_fd, POLLOUT, tick_now());
	int64_t generation = fifo_reader_generation(client->server_fd);

	if (events >= 0 && events & POLLERR)
		return false;
	/* It had just begun when we asked, and had not marked its generation yet. */
	if (client->server_generation == 0)
		client->server_generation = generation;
	return generation == client->server_generation;
}

static bool is_stopped(const struct client *client)
{
	return fdio_wait(client->options.stop_fd, POLLIN, tick_now()) > 0;
}

/* An inotify descriptor on the folder that the FIFOs are in: names that appear
 * there, and files that are opened, since a FIFO that a dead server left comes
 * to life when the next one opens it. */
static int watch_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory =
		slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (watch >= 0 && directory)
		inotify_add_watch(watch, directory,
				  IN_CREATE | IN_MOVED_TO | IN_OPEN);
	free(directory);
	return watch;
}

/* Another user's server may not write to our FIFO yet; root may. */
static int let_server_answer(const struct client *client)
{
	struct stat st;

	if (fstat(client->server_fd, &st) < 0)
		return -errno;
	if (st.st_uid == geteuid() || st.st_uid == 0)
		return 0;
	return fifo_let_write(&client->fifo, st.st_uid, client->options.mode);
}

/* Open the server's FIFO, once there is a server. */
static int connect_to_server(struct client *client, int64_t deadline)
{
	int watch = -1, rc;
	char events[4096];

	for (;;) {
		/* Where there is no watch to be had (-1 in poll). */
		int64_t again = tick_after(LOOK_AGAIN_NS);

		rc = fifo_open_writer(client->options.path,
				      client->options.owner);
		if (rc != -ENOENT && rc != -ENXIO)
			break;
		if (tick_is_over(deadline)) {
			rc = -ENOENT;
			break;
		}
		if (watch < 0) {
			/* Then once more, for what happened before. */
			watch = watch_directory(client->options.path);
			again = tick_now();
		}
		rc = wait_for(client, watch, POLLIN, earlier(again, deadline));
		if (rc < 0 && rc != -ETIMEDOUT)
			break;
		while (watch >= 0 && read(watch, events, sizeof(events)) > 0)
			;
	}
	fdio_close(&watch);
	client->server_fd = rc;
	client->generation_until = 0;
	return rc < 0 ? rc : let_server_answer(client);
}

/* Look before the request, as a server that dies behind it may have read it. A
 * server that dies between this look and the request has not read it, and the
 * caller is told of that, too: asking again does no harm. */
static void note_generation(struct client *client)
{
	if (!tick_is_over(client->generation_until))
		return;
	client->server_generation = fifo_reader_generation(client->server_fd);
	client->generation_until = tick_after(GENERATION_IS_NEW_NS);
}

/* Make room for the whole of it or fail: POSIX says that a write(2) of up to
 * PIPE_BUF bytes into a FIFO is never done by halves. */
static int write_request(struct client *client, int64_t deadline)
{
	for (;;) {
		int rc;

		note_generation(client);
		if (write(client->server_fd, client->frame,
			  client->frame_size) >= 0)
			return 0;
		rc = -errno;
		if (rc == -EAGAIN)
			rc = wait_for(client, client->server_fd, POLLOUT,
				      deadline);
		if (rc == -EPIPE)
			fdio_close(&client->server_fd);
		if (rc < 0 && (rc != -EINTR || is_stopped(client)))
			return rc;
	}
}

static int send_request(struct client *client, const char *expression,
			int64_t deadline)
{
	const size_t header_size = sizeof(struct frame_header);
	struct frame_header header;
	ssize_t size;
	int rc = 0;

	client->request.head.number++;
	size = message_pack_request(&client->request, expression,
				    client->frame + header_size,
				    sizeof(client->frame) - header_size);
	if (size < 0)
		return (int)size;
	header = frame_header_make(MESSAGE_REQUEST, (uint32_t)size);
	memcpy(client->frame, &header, header_size);
	client->frame_size = header_size + (size_t)size;
	if (client->server_fd < 0)
		rc = connect_to_server(client, deadline);
	return rc ? rc : write_request(client, deadline);
}

/* The answer to the present request, if it has come. Anything else in our
 * FIFO is an answer to an earlier one that was given up, or garbage. */
static bool take_answer(struct client *client, struct message_reply *reply)
{
	const uint64_t skipped = client->inbox.skipped;
	const void *payload;
	uint32_t type;
	ssize_t size;

	while ((size = inbox_next(&client->inbox, &type, &payload)) >= 0) {
		if (type != MESSAGE_REPLY ||
		    message_parse_reply(payload, (size_t)size, reply) != 0)
			inbox_reject(&client->inbox, payload);
		else if (reply->head.nonce != client->request.head.nonce)
			client->is_disturbed = true;
		else if (reply->head.number == client->request.head.number)
			return true;
	}
	client->is_disturbed |= client->inbox.skipped != skipped;
	return false;
}

/* Messages that were not for us may have filled our FIFO when the answer came, and
 * servers keep no answers: the request goes out once more. */
static int ask_again(struct client *client, int64_t deadline)
{
	if (!client->is_disturbed)
		return 0;
	client->is_disturbed = false;
	return write_request(client, deadline);
}

/* Wait for more of the answer until the time to look. Returns as inbox_fill(), or -EINTR
 * on a stop. */
static int wait_and_fill(struct client *client, int64_t look)
{
	int rc = wait_for(client, client->fifo.read_fd, POLLIN, look);

	if (rc == -ETIMEDOUT || (rc == -EINTR && !is_stopped(client)))
		rc = 0;
	return rc ? rc : inbox_fill(&client->inbox);
}

static int receive_answer(struct client *client, struct message_reply *reply,
			  int64_t deadline)
{
	int64_t look = earlier(deadline, tick_after(LOOK_AGAIN_NS));
	int rc = inbox_fill_soon(&client->inbox);

	while (rc >= 0) {
		if (take_answer(client, reply))
			return 0;
		rc = wait_and_fill(client, look);
		if (rc < 0 || (rc > 0 && !tick_is_over(look)))
			continue;
		if (!has_same_server(client)) {
			/* Once more: it may have answered and ended since. */
			rc = inbox_fill(&client->inbox);
			if (rc)
				continue;
			fdio_close(&client->server_fd);
			return -EPIPE;
		}
		if (!tick_is_over(look))
			continue;
		if (tick_is_over(deadline))
			return take_answer(client, reply) ? 0 : -ETIMEDOUT;
		look = earlier(deadline, tick_after(LOOK_AGAIN_NS));
		rc = ask_again(client, deadline);
	}
	return rc;
}

int client_ask(struct client *client, const char *expression, int64_t deadline,
	       enum expr_error *error, int64_t *value)
{
	struct message_reply reply;
	int rc;

	do
		rc = send_request(client, expression, deadline);
	while (rc == -EPIPE); /* it had ended before: wait for the next one */
	if (rc == 0)
		rc = receive_answer(client, &reply, deadline);
	if (rc)
		return rc;
	*error = (enum expr_error)reply.error;
	*value = reply.value;
	return 0;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	fdio_close(&client->server_fd);
	fifo_remove(&client->fifo);
	free(client);
}
