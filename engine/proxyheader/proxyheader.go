// Package proxyheader reads the header that a proxy puts in front of a connection to tell whom it
// acts for: the PROXY protocol, versions 1 and 2, as published by HAProxy.
//
// It works on bytes that have arrived so far, does not wait for more and keeps nothing, so that a
// reactor can use it. It is strict: what the specification does not allow is an error, because a
// wrong guess would let a peer choose the address it is known by.
//
// # Invariants
//   - Parse never looks at more than BytesMax bytes, and never asks for more.
//   - What Parse says of a header does not depend on what follows it.
//   - Not every header names an address: the proxy's own health checks and local clients have none.
//
// Cost: no allocation but for errors. Stability: internal, may change.
package proxyheader

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"strings"
)

// Limits. The specification gives version 1 its limit; version 2 could have 65,551 bytes, of which
// addresses need 52 and certificates or names of the TLS connection in front the rest.
const (
	lineBytesMax = 107
	BytesMax     = 4 << 10
)

// Errors of Parse. ErrShort means that b begins like a header and more bytes are needed.
var (
	ErrShort   = errors.New("proxyheader: incomplete")
	ErrMissing = errors.New("proxyheader: the connection does not begin with a PROXY header")

	errLine     = errors.New("proxyheader: malformed version 1 header")
	errVersion  = errors.New("proxyheader: unknown version or command")
	errFamily   = errors.New("proxyheader: unknown family or not a stream")
	errLength   = errors.New("proxyheader: the length does not fit the address family or is over the limit")
	errOptions  = errors.New("proxyheader: malformed options behind the addresses")
	errChecksum = errors.New("proxyheader: wrong checksum")
)

const (
	signature1 = "PROXY "
	signature2 = "\r\n\r\n\x00\r\nQUIT\n"
	head2Bytes = len(signature2) + 4
)

// Begins tells whether b begins a PROXY header: maybe is true while b is too short to know.
func Begins(b []byte) (yes, maybe bool) {
	for _, s := range []string{signature1, signature2} {
		n := min(len(b), len(s))
		if string(b[:n]) == s[:n] {
			return n == len(s), n < len(s)
		}
	}
	return false, false
}

// Parse reads the header that b begins with and returns the client it names and the number of bytes it
// has. The address is not valid where the header names none: then the connection is the peer's own.
func Parse(b []byte) (client netip.AddrPort, n int, err error) {
	yes, maybe := Begins(b)
	switch {
	case maybe:
		return client, 0, ErrShort
	case !yes:
		return client, 0, ErrMissing
	case b[0] == signature1[0]:
		return parse1(b)
	}
	return parse2(b)
}

// parse1 reads "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n".
func parse1(b []byte) (client netip.AddrPort, n int, err error) {
	window := b[:min(len(b), lineBytesMax)]
	end := bytes.Index(window, []byte("\r\n"))
	switch {
	case end < 0 && len(b) < lineBytesMax:
		return client, 0, ErrShort
	case end < 0:
		return client, 0, errLine
	}
	n = end + 2
	words := strings.Split(string(b[len(signature1):end]), " ")
	if words[0] == "UNKNOWN" { // whatever follows is to be ignored
		return client, n, nil
	}
	if len(words) != 5 || words[0] != "TCP4" && words[0] != "TCP6" {
		return client, 0, errLine
	}
	source, ok1 := address1(words[0], words[1], words[3])
	_, ok2 := address1(words[0], words[2], words[4])
	if !ok1 || !ok2 {
		return client, 0, errLine
	}
	return source, n, nil
}

func address1(family, ip, port string) (netip.AddrPort, bool) {
	addr, err := netip.ParseAddr(ip)
	if err != nil || addr.Zone() != "" || addr.Is4() != (family == "TCP4") {
		return netip.AddrPort{}, false
	}
	p, ok := port1(port)
	return netip.AddrPortFrom(addr.Unmap(), p), ok
}

// port1 reads a decimal number from 0 to 65535 without leading zeros.
func port1(s string) (uint16, bool) {
	if s == "" || len(s) > 5 || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return uint16(n), n <= 0xffff
}

// addressBytes is the size of the address block by family and transport; streams only.
var addressBytes = map[byte]int{0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216}

// parse2 reads signature, version and command, family, length, addresses and options.
func parse2(b []byte) (client netip.AddrPort, n int, err error) {
	if len(b) < head2Bytes {
		return client, 0, ErrShort
	}
	command, family := b[12], b[13]
	if command != 0x20 && command != 0x21 {
		return client, 0, errVersion
	}
	size, known := addressBytes[family]
	length := int(binary.BigEndian.Uint16(b[14:]))
	n = head2Bytes + length
	switch {
	case !known && command == 0x21:
		return client, 0, errFamily
	case n > BytesMax || command == 0x21 && length < size:
		return client, 0, errLength
	case len(b) < n:
		return client, 0, ErrShort
	case command == 0x20: // the proxy speaks for itself: everything else is to be ignored
		return client, n, nil
	case family == 0x00: // its options are not defined
		return client, n, nil
	}
	if err := options2(b[:n], head2Bytes+size); err != nil {
		return client, 0, err
	}
	body := b[head2Bytes:n]
	switch family {
	case 0x11:
		client = netip.AddrPortFrom(netip.AddrFrom4([4]byte(body)), binary.BigEndian.Uint16(body[8:]))
	case 0x21:
		client = netip.AddrPortFrom(netip.AddrFrom16([16]byte(body)).Unmap(), binary.BigEndian.Uint16(body[32:]))
	}
	return client, n, nil
}

const optionChecksum = 0x03 // PP2_TYPE_CRC32C

// options2 checks the options of header from at on: each has a type, two bytes of length and a value.
func options2(header []byte, at int) error {
	for at < len(header) {
		if len(header)-at < 3 {
			return errOptions
		}
		kind, size := header[at], int(binary.BigEndian.Uint16(header[at+1:]))
		at += 3
		if size > len(header)-at {
			return errOptions
		}
		if kind == optionChecksum && (size != 4 || !sound(header, at)) {
			return errChecksum
		}
		at += size
	}
	return nil
}

// sound reports whether the four bytes at are the checksum of header, computed with zeros there.
func sound(header []byte, at int) bool {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, table, header[:at])
	sum = crc32.Update(sum, table, make([]byte, 4))
	sum = crc32.Update(sum, table, header[at+4:])
	return sum == binary.BigEndian.Uint32(header[at:])
}
