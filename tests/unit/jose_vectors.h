/*
 * jose_vectors.h - keys and tokens that RFCs print: 7515 (appendix A), 7520 (4), 8037 (appendix A).
 * In: nothing.
 * Out: texts for the check programs of jose.h.  Of keys the public half alone, but for HMAC.
 */
#ifndef B2B_TEST_JOSE_VECTORS_H
#define B2B_TEST_JOSE_VECTORS_H

/* RFC 7515, A.1 to A.3, have this payload. */
#define RFC7515_PAYLOAD                                                                            \
	"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"
#define RFC7515_PAYLOAD_B64                                                                        \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290"     \
	"Ijp0cnVlfQ"

#define RFC7515_A1_KEY                                                                             \
	"{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN"     \
	"3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}"
#define RFC7515_A1_TOKEN                                                                           \
	"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC7515_PAYLOAD_B64 ".dBjftJeZ4CVP-mB92K2"     \
	"7uhbUJU1p1r_wW1gFWFOEjXk"

#define RFC7515_A2_N                                                                               \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEz"     \
	"P1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf6"     \
	"3kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5Zw"     \
	"Kh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW"     \
	"yuXpoQ"
#define RSA_KTY "\"kty\":\"RSA\""
#define RSA_N_E "\"n\":\"" RFC7515_A2_N "\",\"e\":\"AQAB\""
#define RSA_NUMBERS RSA_KTY "," RSA_N_E
#define RFC7515_A2_KEY "{" RSA_NUMBERS "}"
#define RFC7515_A2_TOKEN                                                                           \
	"eyJhbGciOiJSUzI1NiJ9." RFC7515_PAYLOAD_B64 ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF"     \
	"9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbK"     \
	"BYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN938"     \
	"3LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6Lbg"     \
	"GY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"

#define P256_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define P256_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define P256_NUMBERS "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\""
#define RFC7515_A3_KEY "{" P256_NUMBERS "}"
#define RFC7515_A3_TOKEN                                                                           \
	"eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD_B64 ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4Gawxa"     \
	"epmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

#define P521_NUMBERS                                                                               \
	"\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrr"     \
	"jcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\",\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l"     \
	"6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\""
#define RFC7515_A4_KEY "{" P521_NUMBERS "}"
#define RFC7515_A4_TOKEN                                                                           \
	"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1"     \
	"bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqO"     \
	"gzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"

#define RFC7515_A5_TOKEN "eyJhbGciOiJub25lIn0." RFC7515_PAYLOAD_B64 "."

/* RFC 7520, 4, has one payload. */
#define RFC7520_PAYLOAD                                                                            \
	"It\342\200\231s a dangerous business, Frodo, going out your door. You step onto the "     \
	"road, and if you don't keep your feet, there\342\200\231s no knowing where you might"     \
	" be swept off to."
#define RFC7520_PAYLOAD_B64                                                                        \
	"SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0"     \
	"ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5v"     \
	"IGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4"
#define RFC7520_KID "\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":\"sig\","

#define RFC7520_RSA_KEY                                                                            \
	"{\"kty\":\"RSA\"," RFC7520_KID "\"n\":\"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPE"     \
	"HLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2l"     \
	"bzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpP"     \
	"I9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbL"     \
	"Y7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw\",\"e\":\"AQAB\"}"
#define RFC7520_41_TOKEN                                                                           \
	"eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9"                 \
	"." RFC7520_PAYLOAD_B64 ".MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZ" \
	"opdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0Rnltu"     \
	"Yv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS"     \
	"_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u"     \
	"9ipH84ogoree7vjbU5y18kDquDg"
#define RFC7520_42_TOKEN                                                                           \
	"eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9"                 \
	"." RFC7520_PAYLOAD_B64 ".cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2Ip" \
	"N6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28"     \
	"zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2"     \
	"Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJ"     \
	"UAfmWjwZ6oD4ifKo8DYM-X72Eaw"

#define RFC7520_EC_KEY                                                                             \
	"{\"kty\":\"EC\"," RFC7520_KID "\"crv\":\"P-521\",\"x\":\"AHKZLLOsCOzz5cY97ewNUajB957"     \
	"y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt\",\"y\":\"AdymlHvOiLxX"     \
	"kEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1\"}"
#define RFC7520_43_TOKEN                                                                           \
	"eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9"                 \
	"." RFC7520_PAYLOAD_B64 ".AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu" \
	"9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpH"     \
	"ABlsbEPX6sFY8OcGDqoRuBomu9xQ2"

#define RFC7520_HMAC_KEY                                                                           \
	"{\"kty\":\"oct\",\"kid\":\"018c0ae5-4d9b-471b-bfd6-eef314bc7037\",\"use\":\"sig\",\""     \
	"alg\":\"HS256\",\"k\":\"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg\"}"
#define RFC7520_44_TOKEN                                                                           \
	"eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9"         \
	"." RFC7520_PAYLOAD_B64 ".s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"

#define RFC8037_PAYLOAD "Example of Ed25519 signing"
#define RFC8037_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define ED_NUMBERS "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_X "\""
#define RFC8037_KEY "{" ED_NUMBERS "}"
#define RFC8037_TOKEN                                                                              \
	"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7"     \
	"-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

/* Sets and keys made of these numbers; nothing is wrong with the GOOD one. */
#define SET(keys) "{\"keys\":[" keys "]}"
#define GOOD "{\"kid\":\"good\"," RSA_NUMBERS "}"
#define RSA_KEY(more) "{" more "," RSA_N_E "}" /* more has the kty */
#define EC_KEY(crv, x, y) "{\"kty\":\"EC\",\"crv\":\"" crv "\",\"x\":\"" x "\",\"y\":\"" y "\"}"
#define ED_KEY(x) "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" x "\"}"

#endif
