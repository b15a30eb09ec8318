/* crc32c.c - by the processor's own instructions (SSE 4.2 and PCLMUL) where
 * there are any, else by a table.
 *
 * No library is asked, though isa-l has it: to load that takes a tenth of a
 * millisecond at each start, and a command that looks up one key lives for
 * less than one. The instruction takes three cycles and a new one can begin in
 * each, so a page is cut into three lanes that run beside each other.
 *
 * A checksum is a polynomial over GF(2) modulo 0x82f63b78, bit 31 being the
 * coefficient of 1 and bit 0 that of x^31. To append n zero bytes is to multiply
 * by x^(8n).
 */
#include "lib/crc32c.h"

#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

static uint32_t by_table(uint32_t crc, const unsigned char *byte, size_t len)
{
	/* What the four lowest bits become when they are shifted out. */
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
		0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};

	for (; len > 0; byte++, len--) {
		crc = crc >> 4 ^ table[(crc ^ *byte) & 15];
		crc = crc >> 4 ^ table[(crc ^ *byte >> 4) & 15];
	}
	return crc;
}

#ifdef __x86_64__

#define LANE 1344               /* three are nearly a page; a multiple of 8 */
#define X_8_LANE_33 0xc9c8b782  /* x^(8 LANE - 33) */
#define X_16_LANE_33 0x889774e1 /* x^(16 LANE - 33) */

/* Multiply by x^33 times factor: the carry-less product of two such numbers is
 * short of one x, and the instruction's first step brings x^32. */
__attribute__((target("sse4.2,pclmul"))) static uint32_t multiply(
	uint32_t crc, int64_t factor)
{
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(crc),
					       _mm_cvtsi64_si128(factor), 0);

	return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

static uint64_t word_at(const unsigned char *byte)
{
	uint64_t word;

	memcpy(&word, byte, sizeof(word));
	return word;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t by_instruction(
	uint32_t crc, const unsigned char *byte, size_t len)
{
	uint64_t wide;

	for (; len >= 3 * LANE; byte += 3 * LANE, len -= 3 * LANE) {
		uint64_t a = crc, b = 0, c = 0;

		for (size_t i = 0; i < LANE; i += 8) {
			a = _mm_crc32_u64(a, word_at(byte + i));
			b = _mm_crc32_u64(b, word_at(byte + LANE + i));
			c = _mm_crc32_u64(c, word_at(byte + 2 * LANE + i));
		}
		crc = multiply((uint32_t)a, X_16_LANE_33) ^
		      multiply((uint32_t)b, X_8_LANE_33) ^ (uint32_t)c;
	}
	for (wide = crc; len >= 8; byte += 8, len -= 8)
		wide = _mm_crc32_u64(wide, word_at(byte));
	for (crc = (uint32_t)wide; len > 0; byte++, len--)
		crc = _mm_crc32_u8(crc, *byte);
	return crc;
}

#endif

uint32_t crc32c_more(uint32_t crc, const void *bytes, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2") &&
	    __builtin_cpu_supports("pclmul"))
		return ~by_instruction(~crc, bytes, len);
#endif
	return ~by_table(~crc, bytes, len);
}

uint32_t crc32c(const void *bytes, size_t len)
{
	return crc32c_more(0, bytes, len);
}
