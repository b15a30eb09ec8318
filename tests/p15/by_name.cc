/* by_name.cc - by_name.c in C++: a queue is open as long as its object lives. */
#include <chrono>
#include <cstring>
#include <iostream>
#include <system_error>

#include "p15-spsc/spsc.h"

namespace
{

constexpr char name[] = "/spsc.by_name";

struct item {
	uint32_t number, square;
};

void check(int error)
{
	if (error)
		throw std::system_error(-error, std::generic_category());
}

class sender
{
      public:
	explicit sender(int64_t deadline)
	{
		check(spsc_open_producer(&queue, name, sizeof(item), 1024,
					 deadline));
	}
	sender(const sender &) = delete;
	sender &operator=(const sender &) = delete;
	~sender()
	{
		spsc_producer_close(&queue);
	}

	void push(const item &item, int64_t deadline)
	{
		check(spsc_push_until(&queue, &item, sizeof(item), deadline));
	}

      private:
	spsc_producer queue;
};

class receiver
{
      public:
	explicit receiver(int64_t deadline)
	{
		check(spsc_open_consumer(&queue, name, sizeof(item), 1024,
					 deadline));
	}
	receiver(const receiver &) = delete;
	receiver &operator=(const receiver &) = delete;
	~receiver()
	{
		spsc_consumer_close(&queue);
		spsc_remove(name);
	}

	/* Whether there was one more. */
	bool pop(item &item, int64_t deadline)
	{
		int error =
			spsc_pop_until(&queue, &item, sizeof(item), deadline);

		if (error != -EPIPE)
			check(error);
		return error == 0;
	}

      private:
	spsc_consumer queue;
};

void send_some(int64_t deadline)
{
	sender queue(deadline);

	for (uint32_t i = 1; i <= 5000; i++)
		queue.push({i, i * i}, deadline);
}

void receive_all(int64_t deadline)
{
	receiver queue(deadline);
	item last{};

	while (queue.pop(last, deadline))
		if (last.square != last.number * last.number)
			check(-EBADMSG);
	std::cout << "the last of " << last.number << " is " << last.square
		  << '\n';
}

} // namespace

int main(int argc, char **argv)
try {
	const std::chrono::nanoseconds end =
		std::chrono::steady_clock::now().time_since_epoch() +
		std::chrono::seconds(20);
	const int64_t deadline = end.count(); /* as lib/tick.h has it */

	if (argc == 2 && std::strcmp(argv[1], "send") == 0)
		send_some(deadline);
	else
		receive_all(deadline);
	return 0;
} catch (const std::exception &wrong) {
	std::cerr << "by_name: " << wrong.what() << '\n';
	return 1;
}
