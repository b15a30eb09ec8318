#include "p07-prodcons/bench/textbook.h"

#include <errno.h>
#include <stdlib.h>

int textbook_init(struct textbook *buffer, size_t capacity)
{
	*buffer = (struct textbook){.capacity = capacity};
	buffer->slot = calloc(capacity, sizeof(*buffer->slot));
	if (!buffer->slot)
		return -ENOMEM;
	pthread_mutex_init(&buffer->lock, NULL);
	pthread_cond_init(&buffer->not_full, NULL);
	pthread_cond_init(&buffer->not_empty, NULL);
	return 0;
}

void textbook_fini(struct textbook *buffer)
{
	pthread_cond_destroy(&buffer->not_empty);
	pthread_cond_destroy(&buffer->not_full);
	pthread_mutex_destroy(&buffer->lock);
	free(buffer->slot);
}

void textbook_put(struct textbook *buffer, const struct textbook_item *item)
{
	pthread_mutex_lock(&buffer->lock);
	while (buffer->count == buffer->capacity)
		pthread_cond_wait(&buffer->not_full, &buffer->lock);
	buffer->slot[(buffer->first + buffer->count) % buffer->capacity] =
		*item;
	buffer->count++;
	pthread_cond_signal(&buffer->not_empty);
	pthread_mutex_unlock(&buffer->lock);
}

void textbook_take(struct textbook *buffer, struct textbook_item *item)
{
	pthread_mutex_lock(&buffer->lock);
	while (buffer->count == 0)
		pthread_cond_wait(&buffer->not_empty, &buffer->lock);
	*item = buffer->slot[buffer->first];
	buffer->first = (buffer->first + 1) % buffer->capacity;
	buffer->count--;
	pthread_cond_signal(&buffer->not_full);
	pthread_mutex_unlock(&buffer->lock);
}
