package proxyheader

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"
)

// v2 returns a version 2 header with the given command and family and body.
func v2(command, family byte, body string) string {
	head := append([]byte(signature2), command, family)
	return string(binary.BigEndian.AppendUint16(head, uint16(len(body)))) + body
}

const (
	addresses4 = "\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb"
	addresses6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\xdc\x04\x01\xbb"
)

// withChecksum returns a version 2 header whose last option is a checksum, changed by xor.
func withChecksum(xor byte) string {
	h := []byte(v2(0x21, 0x11, addresses4+"\x04\x00\x02no\x03\x00\x04\x00\x00\x00\x00"))
	sum := crc32.Checksum(h, crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(h[len(h)-4:], sum)
	h[len(h)-1] ^= xor
	return string(h)
}

var good = map[string]string{ // header → client
	"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n":       "192.0.2.1:56324",
	"PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n":        "255.255.255.255:65535",
	"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n":      "[2001:db8::1]:56324",
	"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 56324 443\r\n": "192.0.2.1:56324",
	"PROXY UNKNOWN\r\n":                                    "",
	"PROXY UNKNOWN ffff::1 whatever 1 2 3 4 5\r\n":         "",
	v2(0x21, 0x11, addresses4):                             "192.0.2.1:56324",
	v2(0x21, 0x21, addresses6):                             "[2001:db8::1]:56324",
	v2(0x21, 0x31, strings.Repeat("s", 216)):               "",
	v2(0x21, 0x00, ""):                                     "",
	v2(0x21, 0x00, "anything"):                             "",
	v2(0x20, 0x00, ""):                                     "",
	v2(0x20, 0xff, "anything"):                             "",
	v2(0x21, 0x11, addresses4+"\x04\x00\x00\x05\x00\x01x"): "192.0.2.1:56324",
	withChecksum(0):                                        "192.0.2.1:56324",
}

var bad = map[string]error{
	"GET / HTTP/1.1\r\n":   ErrMissing,
	"PROXX ":               ErrMissing,
	"proxy UNKNOWN\r\n":    ErrMissing,
	"\r\n\r\n\x00\r\nQUIX": ErrMissing,
	"PROXY \r\n":           errLine,
	"PROXY TCP4\r\n":       errLine,
	"PROXY TCP5 192.0.2.1 198.51.100.1 56324 443\r\n":                          errLine,
	"PROXY TCP4 192.0.2.1 198.51.100.1 56324 65536\r\n":                        errLine,
	"PROXY TCP4 192.0.2.1 198.51.100.1 056324 443\r\n":                         errLine,
	"PROXY TCP4 192.0.2.1 198.51.100.1 05632 443\r\n":                          errLine,
	"PROXY TCP4 192.0.2.1 198.51.100.1 +5632 443\r\n":                          errLine,
	"PROXY TCP4 192.0.2.1 198.51.100.1  443\r\n":                               errLine,
	"PROXY TCP4 192.0.2.1  198.51.100.1 56324 443\r\n":                         errLine,
	"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n":                         errLine,
	"PROXY TCP4 192.0.2.01 198.51.100.1 56324 443\r\n":                         errLine,
	"PROXY TCP4 2001:db8::1 2001:db8::2 56324 443\r\n":                         errLine,
	"PROXY TCP6 192.0.2.1 198.51.100.1 56324 443\r\n":                          errLine,
	"PROXY TCP6 fe80::1%eth0 fe80::2 56324 443\r\n":                            errLine,
	"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n" + strings.Repeat("x", 100): errLine,
	"PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n":                        errLine, // 108 bytes
	v2(0x11, 0x11, addresses4):                                                 errVersion,
	v2(0x22, 0x11, addresses4):                                                 errVersion,
	v2(0x21, 0x12, addresses4):                                                 errFamily,
	v2(0x21, 0x22, addresses6):                                                 errFamily,
	v2(0x21, 0x41, addresses4):                                                 errFamily,
	v2(0x21, 0x11, addresses4[:11]):                                            errLength,
	v2(0x21, 0x21, addresses4):                                                 errLength,
	v2(0x21, 0x11, "")[:14] + "\x10\x01":                                       errLength,
	v2(0x21, 0x11, addresses4+"\x04"):                                          errOptions,
	v2(0x21, 0x11, addresses4+"\x04\x00\x05four"):                              errOptions,
	v2(0x21, 0x11, addresses4+"\x03\x00\x03\x00\x00\x00"):                      errChecksum,
	withChecksum(1): errChecksum,
}

func TestParse(t *testing.T) {
	for header, want := range good {
		client, n, err := Parse([]byte(header + "PROXY more"))
		got := ""
		if client.IsValid() {
			got = client.String()
		}
		if err != nil || n != len(header) || got != want {
			t.Errorf("%q: client %q, %d bytes, %v; want %q, %d", header, got, n, err, want, len(header))
		}
		for cut := range len(header) {
			if _, _, err := Parse([]byte(header[:cut])); !errors.Is(err, ErrShort) {
				t.Errorf("%q cut to %d bytes: %v, want ErrShort", header, cut, err)
			}
		}
	}
	for header, want := range bad {
		if client, n, err := Parse([]byte(header)); !errors.Is(err, want) || n != 0 || client.IsValid() {
			t.Errorf("%q: client %v, %d bytes, %v; want %v", header, client, n, err, want)
		}
	}
}

func TestLongestLine(t *testing.T) {
	line := "PROXY UNKNOWN " + strings.Repeat("f", lineBytesMax-16) + "\r\n"
	if _, n, err := Parse([]byte(line)); err != nil || n != lineBytesMax {
		t.Errorf("%d bytes: %d, %v", len(line), n, err)
	}
}

// FuzzParse looks for panics, for bytes asked for beyond the limit, for an opinion that changes with
// what follows, and for addresses that could not have been written that way.
func FuzzParse(f *testing.F) {
	for h := range good {
		f.Add([]byte(h))
	}
	for h := range bad {
		f.Add([]byte(h))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		client, n, err := Parse(b)
		if errors.Is(err, ErrShort) && len(b) >= BytesMax {
			t.Fatalf("%d bytes are not enough", len(b))
		}
		if err != nil && (n != 0 || client.IsValid()) {
			t.Fatalf("an error and %v, %d bytes", client, n)
		}
		if n > len(b) || n > BytesMax {
			t.Fatalf("a header of %d bytes in %d", n, len(b))
		}
		if err != nil {
			return
		}
		more, m, err := Parse(append(b[:n:n], "\x00garbage"...))
		if err != nil || m != n || more != client {
			t.Fatalf("with other bytes behind it: %v, %d, %v; was %v, %d", more, m, err, client, n)
		}
		for cut := range n {
			if _, _, err := Parse(b[:cut]); !errors.Is(err, ErrShort) {
				t.Fatalf("cut to %d of %d bytes: %v", cut, n, err)
			}
		}
		if client.IsValid() && client != netip.MustParseAddrPort(client.String()) {
			t.Fatalf("client %v", client)
		}
	})
}
