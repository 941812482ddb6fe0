/*
 * ctl_qr.c - draws a QR code (ISO/IEC 18004) with half blocks, two rows of modules a line.
 * In: a text.
 * Out: UTF-8 on standard output: what is light is drawn, what is dark is left.
 */
#include "ctl_qr.h"

#include <openssl/crypto.h>
#include <qrencode.h>

#define QUIET 4 /* modules around the code, all light */

static bool is_light(const QRcode *code, int x, int y)
{
	if (x < 0 || y < 0 || x >= code->width || y >= code->width)
		return true;
	return !(code->data[y * code->width + x] & 1);
}

int ctl_qr_print(const char *text, bool colours)
{
	static const char *const blocks[2][2] = { { " ", "\u2584" }, { "\u2580", "\u2588" } };
	QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);

	if (!code)
		return ctl_fail("the text does not fit into a QR code");
	for (int y = -QUIET; y < code->width + QUIET; y += 2) {
		fputs(colours ? "\033[97;40m" : "", stdout);
		for (int x = -QUIET; x < code->width + QUIET; x++)
			fputs(blocks[is_light(code, x, y)][is_light(code, x, y + 1)], stdout);
		puts(colours ? "\033[0m" : "");
	}
	OPENSSL_cleanse(code->data, (size_t)code->width * (size_t)code->width);
	QRcode_free(code);
	return CTL_DONE;
}
