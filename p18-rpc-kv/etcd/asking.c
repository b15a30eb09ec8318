#include "p18-rpc-kv/etcd/asking.h"

#include <stdlib.h>

#include "lib/tick.h"
#include "p18-rpc-kv/etcd/base64.h"
#include "p18-rpc-kv/etcd/reading.h"

json_t *asking_bytes(const void *bytes, size_t len)
{
	char *text = malloc(base64_length(len) + 1);
	json_t *json;

	if (!text)
		return NULL;
	base64_encode(text, bytes, len);
	json = json_string(text);
	free(text);
	return json;
}

int64_t asking_deadline(u_int timeout_ms)
{
	return tick_after((int64_t)timeout_ms * TICK_MS);
}

bool asking_ask(struct asking *asking, struct gateway *gateway,
		const char *path, int64_t deadline)
{
	json_decref(asking->body);
	gateway_call(gateway, path, asking->request, false, deadline,
		     &asking->answer);
	asking->body = asking->answer.body;
	asking->status = KV_NO_QUORUM;
	asking->text = asking->answer.text;
	if (asking->answer.outcome != GATEWAY_DONE)
		return false;
	asking->text = ASKING_NOT_ETCD;
	if (reading_revision(asking->body, &asking->applied))
		return false;
	asking->status = KV_DONE;
	asking->text = NULL;
	return true;
}

void asking_end(struct asking *asking)
{
	json_decref(asking->body);
	json_decref(asking->request);
}
