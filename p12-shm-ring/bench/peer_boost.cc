// Boost.Interprocess' message_queue: its memory is named only while it is made.
#include <boost/interprocess/ipc/message_queue.hpp>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <unistd.h>

extern "C" {
#include "p12-shm-ring/bench/rows.h"
}

namespace
{
using boost::interprocess::create_only;
using boost::interprocess::message_queue;

struct Channel {
	size_t message_bytes;
	std::unique_ptr<message_queue> queue[2]; // from A to B, from B to A
	int tx;
};

size_t messages_for(size_t message_bytes)
{
	return ROWS_CAPACITY / message_bytes;
}

int create(void **channel, size_t message_bytes)
{
	try {
		auto made = std::make_unique<Channel>();

		made->message_bytes = message_bytes;
		for (int i = 0; i < 2; i++) {
			char name[64];

			snprintf(name, sizeof(name), "ipc.p12-bench.%ld.%d",
				 static_cast<long>(getpid()), i);
			made->queue[i] = std::make_unique<message_queue>(
				create_only, name, messages_for(message_bytes),
				message_bytes);
			message_queue::remove(name);
		}
		*channel = made.release();
		return 0;
	} catch (const std::exception &) {
		return -ENOMEM;
	}
}

int attach(void *channel, enum mechanism_side side)
{
	static_cast<Channel *>(channel)->tx = side == MECHANISM_A ? 0 : 1;
	return 0;
}

int send(void *channel, const void *message)
{
	auto c = static_cast<Channel *>(channel);

	c->queue[c->tx]->send(message, c->message_bytes, 0);
	return 0;
}

int receive(void *channel, void *message)
{
	auto c = static_cast<Channel *>(channel);
	message_queue::size_type got = 0;
	unsigned int priority;

	c->queue[!c->tx]->receive(message, c->message_bytes, got, priority);
	return got == c->message_bytes ? 0 : -EBADMSG;
}

void destroy(void *channel)
{
	delete static_cast<Channel *>(channel);
}

mechanism describe()
{
	mechanism m = {};

	m.name = "Boost message_queue";
	m.create = create;
	m.attach = attach;
	m.send = send;
	m.receive = receive;
	m.destroy = destroy;
	return m;
}
} // namespace

extern "C" const struct mechanism rows_boost = describe();
