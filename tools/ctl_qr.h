/*
 * ctl_qr.h - a QR code for a terminal.
 * In: a text.  Out: lines of UTF-8 half blocks.
 */
#ifndef B2B_CTL_QR_H
#define B2B_CTL_QR_H

#include "ctl.h"

/* Draws text on standard output, with a quiet zone of four modules; colours: with escapes that make
 * it dark on light whatever the terminal's own colours.  What was drawn from is wiped.  Complains. */
int ctl_qr_print(const char *text, bool colours);

#endif
