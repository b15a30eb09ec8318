/* keygen - a key pair for AUTH_DH: the secret half into a file of its own, the
 * public half into the file that all have. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/tick.h"
#include "p17-rpc-auth/cmd/options.h"

#define LOCK_NS (5 * TICK_S)

struct settings {
	const char *keys, *secret, *host, *domain;
	int64_t uid; /* -1: ours */
	bool is_forced;
};

static const char doc[] = "Make a key pair for AUTH_DH.\v"
			  "Examples:\n"
			  "  ./keygen --host=calc    for calc_server_auth\n"
			  "  ./keygen                for calc_client_auth\n\n"
			  "Exit status: 0 done, 1 failed, 2 usage.";

static void parse(struct settings *s, int argc, char **argv)
{
	const struct cli_option options[] = {
		CLI_TEXT("keys", 'k', "FILE", &s->keys,
			 "The file of public keys (default " OPTIONS_KEYS ")"),
		CLI_TEXT("secret", 's', "FILE", &s->secret,
			 "The file for the secret key (default secret.UID, "
			 "secret.HOST)"),
		CLI_INTEGER("uid", 'u', "N", &s->uid, 0, UINT32_MAX - 1,
			    "For this user (default: who calls)"),
		CLI_TEXT("host", 'H', "NAME", &s->host,
			 "For a server and not for a user"),
		CLI_TEXT("domain", 'd', "NAME", &s->domain,
			 "Domain (default " NETNAME_DOMAIN ")"),
		CLI_ON("force", 'f', &s->is_forced,
		       "Replace the secret key that is there"),
		{0},
	};
	const struct cli_command command = {.doc = doc, .options = options};

	cli_parse(&command, argc, argv);
	if (s->host && s->uid >= 0)
		die_usage("--uid and --host exclude each other");
}

static void make_name(char name[NETNAME_MAX + 1], const struct settings *s)
{
	uid_t uid = s->uid < 0 ? geteuid() : (uid_t)s->uid;
	int error = s->host ? netname_of_host(name, s->host, s->domain)
			    : netname_of_user(name, uid, s->domain);

	if (error)
		die_usage("--%s: not of letters, digits, '.', '-' and '_', "
			  "or too long, or a host of digits alone",
			  s->host ? "host or --domain" : "domain");
}

/* The secret key first: should we end between the two, the public file still
 * has what it had, and --force makes both anew. */
static void store(const struct settings *s, const struct keys_entry *secret,
		  const struct keys_entry *public, const char *path)
{
	int error = keys_store_secret(secret, path, s->is_forced);

	if (error == -EEXIST)
		die("there is a secret key '%s': --force replaces it", path);
	if (error)
		die_errno(error, "cannot write secret key '%s'", path);
	error = keys_store_public(public, s->keys, tick_after(LOCK_NS));
	if (error == -EBADMSG)
		die("'%s' is no file of public keys", s->keys);
	if (error == -EPERM)
		die("public keys '%s': others may change them: chmod go-w it",
		    s->keys);
	if (error)
		die_errno(error, "cannot write public keys '%s'", s->keys);
}

int main(int argc, char **argv)
{
	struct settings s = {
		.keys = OPTIONS_KEYS, .domain = NETNAME_DOMAIN, .uid = -1};
	struct keys_entry secret = {0}, public = {0};
	char path[NETNAME_MAX + 16];
	int error;

	parse(&s, argc, argv);
	make_name(secret.name, &s);
	memcpy(public.name, secret.name, sizeof(public.name));
	error = dh_generate(secret.key, public.key);
	if (error)
		die_errno(error, "no random numbers");
	if (!s.secret)
		s.secret = options_secret_path(secret.name, path, sizeof(path));
	store(&s, &secret, &public, s.secret);
	dh_wipe(&secret, sizeof(secret));
	printf("Key of %s: public in %s, secret in %s\n", public.name, s.keys,
	       s.secret);
	return 0;
}
