/* server.c - poll the request FIFO, and every reply FIFO for its reader's end.
 *
 * The table of clients is searched from front to back: there are few, and the
 * one that asks most is moved forward. When it is full the one that was silent
 * longest makes room; it may come back, since every client holds a write end
 * of its own reply FIFO and so never reads an early end of file.
 */
#include "p02-fifo/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/frame.h"
#include "lib/tick.h"
#include "p02-fifo/fifo.h"
#include "p02-fifo/inbox.h"
#include "p02-fifo/message.h"

enum { CLIENTS_MAX = 256, STOP = 0, REQUESTS = 1, CLIENTS = 2 };

struct client {
	pid_t pid;
	uint64_t nonce;
	int fd; /* the write end of its reply FIFO */
};

struct server {
	struct server_options options;
	struct fifo fifo;
	struct inbox inbox;
	uint64_t reported; /* of inbox.skipped */
	int64_t next_look; /* whether the FIFO still has its name */
	pid_t pid;         /* whose reply_path is: mostly the same again */
	char reply_path[sizeof(((struct fifo *)0)->path) + 32];
	int clients;
	struct client client[CLIENTS_MAX];            /* latest first */
	struct pollfd pollfds[CLIENTS + CLIENTS_MAX]; /* in the same order */
};

static void report(const struct server *server,
		   const struct server_event *event)
{
	if (server->options.on_event)
		server->options.on_event(event, server->options.arg);
}

/* ---- the table of clients ---- */

static void forget(struct server *server, int index)
{
	close(server->client[index].fd);
	server->clients--;
	memmove(&server->client[index], &server->client[index + 1],
		(size_t)(server->clients - index) * sizeof(server->client[0]));
}

static void move_to_front(struct server *server, int index)
{
	struct client client = server->client[index];

	memmove(&server->client[1], &server->client[0],
		(size_t)index * sizeof(client));
	server->client[0] = client;
}

/* Out of descriptors, as out of entries, the client that was silent longest goes. */
static bool make_room(struct server *server, int error)
{
	if ((error != -EMFILE && error != -ENFILE) || server->clients == 0)
		return false;
	forget(server, server->clients - 1);
	return true;
}

/* Open the reply FIFO of a client that asks for the first time. */
static int admit(struct server *server, const struct message_request *request,
		 const char *path)
{
	bool is_private = (server->options.mode & 077) == 0;
	int fd;

	do
		fd = fifo_open_writer(path,
				      is_private ? geteuid() : request->uid);
	while (make_room(server, fd));
	if (fd < 0)
		return fd;
	if (server->clients == CLIENTS_MAX)
		forget(server, CLIENTS_MAX - 1);
	server->client[server->clients++] = (struct client){
		.pid = request->pid,
		.nonce = request->head.nonce,
		.fd = fd,
	};
	move_to_front(server, server->clients - 1);
	return 0;
}

/* Bring the client to the front of the table. Returns 0 or why there is no
 * way to answer it. */
static int find_client(struct server *server,
		       const struct message_request *request, const char *path)
{
	for (int i = 0; i < server->clients; i++) {
		const struct client *client = &server->client[i];

		if (client->pid != request->pid)
			continue;
		if (client->nonce == request->head.nonce) {
			if (i)
				move_to_front(server, i);
			return 0;
		}
		/* The same pid, another process: its FIFO is a new one. */
		forget(server, i);
		break;
	}
	return admit(server, request, path);
}

/* ---- one request ---- */

/* Put the path of that client's reply FIFO into server->reply_path. */
static int name_reply_fifo(struct server *server, pid_t pid)
{
	int rc = 0;

	if (server->pid != pid)
		rc = fifo_reply_path(server->reply_path,
				     sizeof(server->reply_path),
				     server->fifo.path, pid);
	server->pid = rc ? 0 : pid;
	return rc;
}

/* A reply FIFO that nobody reads any more: the client has gone, and if it was
 * killed its FIFO is still there. */
static void drop_dead_client(struct server *server, int index)
{
	if (name_reply_fifo(server, server->client[index].pid) == 0)
		fifo_remove_if_dead(server->client[index].fd,
				    server->reply_path);
	forget(server, index);
}

static int answer(struct server *server, const struct message_request *request,
		  const char *path, enum expr_error error, int64_t value)
{
	struct {
		struct frame_header header;
		struct message_reply reply;
	} frame = {
		.header = frame_header_make(MESSAGE_REPLY, sizeof(frame.reply)),
		.reply = {.head = request->head,
			  .error = error,
			  .value = value},
	};
	int rc = find_client(server, request, path);

	if (rc)
		return rc;
	message_seal_reply(&frame.reply);
	/* At most PIPE_BUF: all of it or EAGAIN, never a part. */
	if (write(server->client[0].fd, &frame, sizeof(frame)) >= 0)
		return 0;
	rc = -errno;
	if (rc != -EAGAIN)
		drop_dead_client(server, 0);
	return rc;
}

static void serve(struct server *server, const struct message_request *request,
		  const char *expression)
{
	const char *path = server->reply_path;
	struct server_event event = {
		.kind = SERVER_RECEIVED,
		.pid = request->pid,
		.expression = expression,
		.reply_path = path,
	};

	event.error = name_reply_fifo(server, request->pid);
	report(server, &event);
	event.result_error = expr_evaluate(expression, &event.value);
	if (!event.error)
		event.error = answer(server, request, path, event.result_error,
				     event.value);
	event.kind = event.error ? SERVER_DROPPED : SERVER_ANSWERED;
	report(server, &event);
}

static void serve_all(struct server *server)
{
	char expression[MESSAGE_EXPRESSION_MAX + 1];
	struct message_request request;
	const void *payload;
	uint32_t type;
	ssize_t size;

	while ((size = inbox_next(&server->inbox, &type, &payload)) >= 0) {
		if (type == MESSAGE_REQUEST &&
		    message_parse_request(payload, (size_t)size, &request,
					  expression) == 0)
			serve(server, &request, expression);
		else
			inbox_reject(&server->inbox, payload);
	}
	if (server->inbox.skipped != server->reported) {
		struct server_event event = {
			.kind = SERVER_GARBAGE,
			.skipped = server->inbox.skipped - server->reported,
		};

		server->reported = server->inbox.skipped;
		report(server, &event);
	}
}

/* ---- the loop ---- */

/* Wait for a request, a stop, or the end of a reader. Returns 1 when there is
 * something to read, 0 when not, -EINTR on a stop. */
static int wait_for_something(struct server *server)
{
	struct pollfd *pollfds = server->pollfds;
	int clients = server->clients;

	/* Without events: the kernel reports POLLERR all the same. */
	for (int i = 0; i < clients; i++)
		pollfds[CLIENTS + i] =
			(struct pollfd){.fd = server->client[i].fd};
	if (poll(pollfds, CLIENTS + (nfds_t)clients,
		 tick_left_ms(server->next_look)) < 0)
		return errno == EINTR ? 0 : -errno;
	if (pollfds[STOP].revents)
		return -EINTR;
	for (int i = clients - 1; i >= 0; i--)
		if (pollfds[CLIENTS + i].revents)
			drop_dead_client(server, i);
	return pollfds[REQUESTS].revents != 0;
}

static void serve_from(struct server *server)
{
	inbox_init(&server->inbox, server->fifo.read_fd);
	server->reported = 0;
	server->pollfds[REQUESTS] = (struct pollfd){
		.fd = server->fifo.read_fd,
		.events = POLLIN,
	};
}

/* The name is gone. Requests to the old FIFO are answered yet; a client that
 * comes later notices that it has no reader, and looks for the new one. */
static int renew(struct server *server)
{
	struct fifo next;
	int rc;

	do
		rc = fifo_create_new(&next, server->options.path,
				     server->options.mode);
	while (make_room(server, rc));
	if (rc == -EMFILE || rc == -ENFILE)
		return 0; /* again at the next look */
	if (rc)
		return rc;
	while (inbox_fill(&server->inbox) > 0)
		serve_all(server);
	fifo_close(&server->fifo);
	server->fifo = next;
	serve_from(server);
	report(server, &(struct server_event){.kind = SERVER_RENEWED});
	return 0;
}

static int keep_name(struct server *server)
{
	int rc;

	if (!tick_is_over(server->next_look))
		return 0;
	server->next_look = tick_after(TICK_S);
	do
		rc = fifo_has_name(&server->fifo);
	while (make_room(server, rc));
	return rc ? 0 : renew(server);
}

int server_run(struct server *server, int stop_fd)
{
	/* However busy we are, we look at reply FIFOs and for a stop now and
	 * then; on a busy machine each read may take long. */
	const int reads_between_polls = 64;
	const int64_t time_between_polls = 10 * TICK_MS;

	server->pollfds[STOP] = (struct pollfd){
		.fd = stop_fd,
		.events = POLLIN,
	};
	serve_from(server);
	for (;;) {
		int64_t until;
		int rc = keep_name(server);

		if (rc == 0)
			rc = wait_for_something(server);
		until = tick_after(time_between_polls);
		for (int i = 0; i < reads_between_polls && rc > 0; i++) {
			rc = inbox_fill_soon(&server->inbox);
			if (rc > 0)
				serve_all(server);
			if (tick_is_over(until))
				break;
		}
		if (rc < 0)
			return rc == -EINTR ? 0 : rc;
	}
}

int server_create(struct server **out, const struct server_options *options)
{
	struct server *server = calloc(1, sizeof(*server));
	int rc;

	*out = NULL;
	if (!server)
		return -ENOMEM;
	server->options = *options;
	rc = fifo_create(&server->fifo, options->path, options->mode);
	if (rc) {
		free(server);
		return rc;
	}
	*out = server;
	return 0;
}

bool server_is_new(const struct server *server)
{
	return server->fifo.is_new;
}

void server_abandon(struct server *server)
{
	if (!server)
		return;
	while (server->clients)
		forget(server, server->clients - 1);
	fifo_close(&server->fifo);
	free(server);
}

void server_remove(struct server *server)
{
	if (server)
		fifo_remove(&server->fifo);
	server_abandon(server);
}
