/* crc32c.h - the checksum of what lies in files and may come back changed.
 *
 * CRC-32C (Castagnoli; RFC 3720, B.4), as iSCSI, ext4 and btrfs have it. It
 * finds each change of up to 32 neighbouring bits, and of one bit
 * always; it is no protection from an attacker, who can compute it too. Any
 * thread may call it; it does not wait and cannot fail.
 */
#ifndef UNIXIPC_LIB_CRC32C_H
#define UNIXIPC_LIB_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of len bytes. */
uint32_t crc32c(const void *bytes, size_t len);

/* Go on with more bytes: crc32c_more(crc32c(a, n), b, m) is that of both, one
 * behind the other. */
uint32_t crc32c_more(uint32_t crc, const void *bytes, size_t len);

#endif
