#include "p17-rpc-auth/cmd/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cmd/die.h"

const char *const options_auth[] = {"none", "sys", "des", NULL};
const char *const options_flavors[] = {"AUTH_NONE", "AUTH_SYS", "AUTH_DES"};

void options_load_keys(struct keys *keys, const char *path)
{
	size_t line;
	int error = keys_load(keys, path, &line);

	if (error == -ENOENT)
		die("no file of public keys '%s': make one with keygen", path);
	if (error == -EBADMSG && line)
		die("'%s', line %zu: not a netname and 48 hexadecimal digits",
		    path, line);
	if (error == -EBADMSG)
		die("'%s': a netname stands there twice, or it is no text",
		    path);
	if (error == -EPERM)
		die("public keys '%s': others may change them: chmod go-w it",
		    path);
	if (error)
		die_errno(error, "cannot read public keys from '%s'", path);
}

const char *options_secret_path(const char *netname, char *buf, size_t size)
{
	const char *who = strchr(netname, '.') + 1;

	snprintf(buf, size, "secret.%.*s", (int)strcspn(who, "@"), who);
	return buf;
}

static _Noreturn void refuse_secret(const char *path, int error,
				    unsigned int mode)
{
	switch (error) {
	case -ENOENT:
		die("no secret key '%s': make one with keygen", path);
	case -EPERM:
		die("secret key '%s': belongs to another user", path);
	case -ELOOP:
		die("secret key '%s': is a symbolic link", path);
	case -EBADMSG:
		die("secret key '%s': not a netname and 48 hexadecimal digits",
		    path);
	case -EACCES:
		if (mode)
			die("secret key '%s': others may use it (mode %04o): "
			    "chmod 600 it, or make a new one",
			    path, mode);
		break;
	default:
		break;
	}
	die_errno(error, "cannot read secret key '%s'", path);
}

void options_load_secret(struct keys_entry *secret, const char *path,
			 const char *netname, const struct keys *keys,
			 const char *keys_path)
{
	char name[NETNAME_MAX + 16];
	const struct keys_entry *entry;
	uint8_t public[DH_KEY];
	unsigned int mode;
	int error;

	if (!path)
		path = options_secret_path(netname, name, sizeof(name));
	error = keys_load_secret(secret, path, &mode);
	if (error)
		refuse_secret(path, error, mode);
	entry = keys_find(keys, secret->name);
	if (!entry)
		die("'%s' has no public key of '%s': add it with keygen",
		    keys_path, secret->name);
	dh_public(secret->key, public);
	if (memcmp(entry->key, public, DH_KEY) != 0)
		die("'%s' has another public key of '%s' than belongs to '%s'",
		    keys_path, secret->name, path);
}
