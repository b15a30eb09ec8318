#include "p18-rpc-kv/etcd/gateway.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/parse.h"
#include "lib/tick.h"

enum { IDLE_MAX = 16, URL_MAX = 512 };

struct gateway {
	char urls[GATEWAY_ENDPOINTS_MAX][URL_MAX];
	size_t n_urls;
	size_t preferred; /* the endpoint that answered last; a hint */
	struct curl_slist *headers;
	pthread_mutex_t lock; /* the rest */
	CURL *idle[IDLE_MAX]; /* with a connection each, perhaps */
	size_t n_idle;
};

/* ---- endpoints ---- */

static int make_url(char url[URL_MAX], const char *endpoint)
{
	const char *scheme = "http://";
	struct parse_endpoint at;
	int error;

	if (strncmp(endpoint, "http://", 7) == 0) {
		endpoint += 7;
	} else if (strncmp(endpoint, "https://", 8) == 0) {
		scheme = "https://";
		endpoint += 8;
	}
	error = parse_endpoint(endpoint, &at);
	if (error || at.port == 0)
		return -EINVAL;
	snprintf(url, URL_MAX, strchr(at.host, ':') ? "%s[%s]:%u" : "%s%s:%u",
		 scheme, at.host[0] ? at.host : "localhost",
		 (unsigned int)at.port);
	return 0;
}

int gateway_open(struct gateway **gateway, const char *const *endpoints,
		 size_t n, size_t *bad)
{
	struct gateway *new;

	*bad = 0;
	if (n == 0 || n > GATEWAY_ENDPOINTS_MAX)
		return -EINVAL;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	for (; *bad < n; ++*bad)
		if (make_url(new->urls[*bad], endpoints[*bad])) {
			free(new);
			return -EINVAL;
		}
	new->n_urls = n;
	/* libcurl asks before it sends a large body, and waits a second. */
	new->headers = curl_slist_append(NULL, "Expect:");
	if (!new->headers || curl_global_init(CURL_GLOBAL_DEFAULT)) {
		curl_slist_free_all(new->headers);
		free(new);
		return -ENOMEM;
	}
	pthread_mutex_init(&new->lock, NULL);
	*gateway = new;
	return 0;
}

void gateway_close(struct gateway *gateway)
{
	if (!gateway)
		return;
	while (gateway->n_idle)
		curl_easy_cleanup(gateway->idle[--gateway->n_idle]);
	curl_slist_free_all(gateway->headers);
	curl_global_cleanup();
	pthread_mutex_destroy(&gateway->lock);
	free(gateway);
}

/* ---- handles of libcurl, which are for one thread at a time ---- */

static CURL *take_handle(struct gateway *gateway)
{
	CURL *curl = NULL;

	pthread_mutex_lock(&gateway->lock);
	if (gateway->n_idle)
		curl = gateway->idle[--gateway->n_idle];
	pthread_mutex_unlock(&gateway->lock);
	return curl ? curl : curl_easy_init();
}

static void give_back(struct gateway *gateway, CURL *curl)
{
	pthread_mutex_lock(&gateway->lock);
	if (gateway->n_idle < IDLE_MAX) {
		gateway->idle[gateway->n_idle++] = curl;
		curl = NULL;
	}
	pthread_mutex_unlock(&gateway->lock);
	if (curl)
		curl_easy_cleanup(curl);
}

/* ---- one attempt ---- */

struct body {
	char *bytes;
	size_t len;
};

/* libcurl's callback: fewer than it has ends the transfer. */
static size_t take_bytes(char *bytes, size_t size, size_t n, void *arg)
{
	struct body *body = arg;
	size_t len = size * n;
	char *larger;

	if (len > GATEWAY_ANSWER_MAX - body->len)
		return 0;
	larger = realloc(body->bytes, body->len + len);
	if (!larger)
		return 0;
	memcpy(larger + body->len, bytes, len);
	body->bytes = larger;
	body->len += len;
	return len;
}

static long ms_of(int64_t deadline)
{
	int ms = tick_left_ms(deadline);

	return ms > 0 ? ms : 1;
}

struct call {
	const char *path, *text;
	bool is_write;
	int64_t deadline;
};

/* All options, as the handle has been another call's. */
static void prepare(const struct gateway *gateway, CURL *curl,
		    const struct call *call, int64_t connect_by, int64_t by)
{
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->text);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, gateway->headers);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
			 (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, ms_of(connect_by));
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ms_of(by));
	/* Over a connection that was used before, libcurl sends a request again
	 * when the server closes it without an answer. A write may have been
	 * done then: so it has a connection of its own. */
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, call->is_write ? 1L : 0L);
}

/* Whether nothing of the request can have been sent. */
static bool is_unsent(CURL *curl, CURLcode error)
{
	curl_off_t pretransfer_us = 0;

	if (error == CURLE_COULDNT_CONNECT ||
	    error == CURLE_COULDNT_RESOLVE_HOST)
		return true;
	return error == CURLE_OPERATION_TIMEDOUT &&
	       curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T,
				 &pretransfer_us) == CURLE_OK &&
	       pretransfer_us == 0;
}

/* Codes of gRPC with which etcd refuses a request for good: invalid argument,
 * not found, permission denied, resource exhausted, failed precondition,
 * unimplemented, unauthenticated. With others (unavailable: a timeout, a new
 * leader) it may have been done. */
static bool is_refusal(json_int_t code)
{
	return code == 3 || code == 5 || code == 7 || code == 8 || code == 9 ||
	       code == 12 || code == 16;
}

static void read_body(const struct body *body, long status,
		      struct gateway_answer *answer)
{
	json_t *json = json_loadb(body->bytes ? body->bytes : "", body->len,
				  JSON_REJECT_DUPLICATES, NULL);
	const char *message = json_string_value(json_object_get(json, "error"));
	json_int_t code = json_integer_value(json_object_get(json, "code"));

	if (json_is_object(json) && status == 200) {
		answer->outcome = GATEWAY_DONE;
		answer->body = json;
		return;
	}
	answer->outcome = GATEWAY_UNKNOWN;
	snprintf(answer->text, sizeof(answer->text), "%s",
		 message ? message : "what answers is no etcd");
	if (message && is_refusal(code)) {
		answer->outcome = GATEWAY_NOT_DONE;
		answer->code = (int)code;
	}
	json_decref(json);
}

/* With the rest of the options set. */
static void perform(CURL *curl, const char *url, const char *path,
		    struct gateway_answer *answer)
{
	char full[URL_MAX + 64], why[CURL_ERROR_SIZE] = "";
	struct body body = {0};
	long status = 0;
	CURLcode error;

	snprintf(full, sizeof(full), "%s%s", url, path);
	curl_easy_setopt(curl, CURLOPT_URL, full);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	error = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
	if (error) {
		answer->outcome = is_unsent(curl, error) ? GATEWAY_NOT_DONE
							 : GATEWAY_UNKNOWN;
		snprintf(answer->text, sizeof(answer->text), "%s: %.*s", url,
			 KV_TEXT_MAX / 2,
			 why[0] ? why : curl_easy_strerror(error));
	} else {
		read_body(&body, status, answer);
	}
	free(body.bytes);
}

/* ---- all attempts ---- */

/* Whether another endpoint may be asked. */
static bool may_go_on(const struct call *call,
		      const struct gateway_answer *answer)
{
	if (answer->outcome == GATEWAY_DONE || answer->code)
		return false;
	if (answer->outcome == GATEWAY_UNKNOWN && call->is_write)
		return false;
	return !tick_is_over(call->deadline);
}

static void try_all(struct gateway *gateway, CURL *curl,
		    const struct call *call, struct gateway_answer *answer)
{
	size_t n = gateway->n_urls;
	size_t first = __atomic_load_n(&gateway->preferred, __ATOMIC_RELAXED);

	for (size_t i = 0; i < n; i++) {
		size_t which = (first + i) % n;
		int64_t part = tick_after(tick_left(call->deadline) /
					  (int64_t)(n - i));

		prepare(gateway, curl, call, part,
			call->is_write ? call->deadline : part);
		perform(curl, gateway->urls[which], call->path, answer);
		if (answer->outcome == GATEWAY_DONE)
			__atomic_store_n(&gateway->preferred, which,
					 __ATOMIC_RELAXED);
		if (!may_go_on(call, answer))
			return;
	}
}

void gateway_call(struct gateway *gateway, const char *path,
		  const json_t *request, bool is_write, int64_t deadline,
		  struct gateway_answer *answer)
{
	char *text = json_dumps(request, JSON_COMPACT);
	struct call call = {path, text, is_write, deadline};
	CURL *curl = take_handle(gateway);

	*answer = (struct gateway_answer){.outcome = GATEWAY_NOT_DONE};
	if (text && curl)
		try_all(gateway, curl, &call, answer);
	else
		snprintf(answer->text, sizeof(answer->text), "no memory");
	if (curl)
		give_back(gateway, curl);
	free(text);
}
