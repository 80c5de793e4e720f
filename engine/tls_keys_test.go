package engine

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"deepstream-fast/codec/ws"
)

// records is a client that makes its TLS 1.3 records itself: the one of crypto/tls can't change keys.
type records struct {
	t    *testing.T
	conn net.Conn
	out  trafficKeys
	in   trafficKeys

	changes int // times that the server has changed its keys
	plain   bytes.Buffer
}

// trafficKeys are those of one direction. RFC 8446 §7.3, for TLS_AES_128_GCM_SHA256.
type trafficKeys struct {
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	number uint64
}

func keysOf(secret []byte) trafficKeys {
	block, err := aes.NewCipher(expandLabel(secret, "key", 16))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return trafficKeys{secret: secret, aead: aead, iv: expandLabel(secret, "iv", 12)}
}

func expandLabel(secret []byte, label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(append(info, byte(len("tls13 "+label))), "tls13 "+label...)
	info = append(info, 0)
	out, err := hkdf.Expand(sha256.New, secret, string(info), n)
	if err != nil {
		panic(err)
	}
	return out
}

func (k *trafficKeys) next() { *k = keysOf(expandLabel(k.secret, "traffic upd", sha256.Size)) }

func (k *trafficKeys) nonce() []byte {
	n := slices.Clone(k.iv)
	for i := range 8 {
		n[len(n)-1-i] ^= byte(k.number >> (8 * i))
	}
	k.number++
	return n
}

const (
	typeHandshake   = 22
	typeData        = 23
	keyUpdateNot    = "\x18\x00\x00\x01\x00"
	keyUpdateAnswer = "\x18\x00\x00\x01\x01"
)

// dialRecords shakes hands with crypto/tls and takes the keys over.
func dialRecords(t *testing.T, e *Engine) *records {
	t.Helper()
	var log bytes.Buffer
	config := clientTLS(tls.VersionTLS13)
	config.KeyLogWriter = &log
	c := dialTLS(t, e, config, nil)
	if suite := c.Conn.(*tls.Conn).ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		t.Fatalf("negotiated %s, this client knows only one other", tls.CipherSuiteName(suite))
	}
	secret := func(label string) []byte {
		_, rest, _ := strings.Cut(log.String(), label+" ")
		line, _, _ := strings.Cut(rest, "\n")
		b, err := hex.DecodeString(line[strings.IndexByte(line, ' ')+1:])
		if err != nil || len(b) != sha256.Size {
			t.Fatalf("no %s in the key log: %v", label, err)
		}
		return b
	}
	return &records{
		t: t, conn: c.Conn.(*tls.Conn).NetConn(),
		out: keysOf(secret("CLIENT_TRAFFIC_SECRET_0")), in: keysOf(secret("SERVER_TRAFFIC_SECRET_0")),
	}
}

// record seals one record; a key update ends the use of its keys.
func (r *records) record(kind byte, data string) []byte {
	inner := append([]byte(data), kind)
	head := []byte{typeData, 3, 3, 0, 0}
	binary.BigEndian.PutUint16(head[3:], uint16(len(inner)+r.out.aead.Overhead()))
	sealed := r.out.aead.Seal(head, r.out.nonce(), inner, head)
	if kind == typeHandshake {
		r.out.next()
	}
	return sealed
}

func (r *records) send(b []byte) {
	r.t.Helper()
	if _, err := r.conn.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

// Read returns the plaintext of the server's records, and takes part in its changes of keys.
func (r *records) Read(p []byte) (int, error) {
	for r.plain.Len() == 0 {
		var head [5]byte
		if _, err := io.ReadFull(r.conn, head[:]); err != nil {
			return 0, err
		}
		sealed := make([]byte, binary.BigEndian.Uint16(head[3:]))
		if _, err := io.ReadFull(r.conn, sealed); err != nil {
			return 0, err
		}
		inner, err := r.in.aead.Open(nil, r.in.nonce(), sealed, head[:])
		if err != nil {
			return 0, err
		}
		data, kind := inner[:len(inner)-1], inner[len(inner)-1]
		switch {
		case kind == typeData:
			r.plain.Write(data)
		case kind == typeHandshake && string(data) == keyUpdateNot:
			r.in.next()
			r.changes++
		default:
			return 0, fmt.Errorf("record of type %d: % x", kind, data)
		}
	}
	return r.plain.Read(p)
}

func (r *records) upgrade() *records {
	r.t.Helper()
	r.send(r.record(typeData, upgradeRequest))
	r.until("\r\n\r\n")
	return r
}

// until reads up to the first occurrence of end.
func (r *records) until(end string) {
	r.t.Helper()
	var got []byte
	b := make([]byte, 1)
	for !bytes.HasSuffix(got, []byte(end)) {
		if _, err := r.Read(b); err != nil {
			r.t.Fatalf("after %q: %v", abbreviate(string(got)), err)
		}
		got = append(got, b...)
	}
}

func withoutTickets(o *Options) {
	o.TLS.SessionTicketsDisabled = true // the client's reader above begins behind the handshake
}

func TestKeyUpdates(t *testing.T) {
	e, _ := startSecure(t, withoutTickets)
	r := dialRecords(t, e).upgrade()
	echo := func(s string) string { return string(masked(ws.Binary, "echo:"+s)) }
	r.send(r.record(typeHandshake, keyUpdateNot))
	r.send(r.record(typeData, echo("ours")))
	r.until("ours")
	var batch []byte // keys change twice, data between, in one segment; the server changes its own as well
	for _, s := range []string{"first", "second"} {
		batch = append(batch, r.record(typeHandshake, keyUpdateAnswer)...)
		batch = append(batch, r.record(typeData, echo(s))...)
	}
	r.send(batch)
	r.until("second")
	if r.changes != 2 {
		t.Errorf("the server changed its keys %d times, want 2", r.changes)
	}
	if s := e.Stats(); s.ProtocolErrors != 0 {
		t.Errorf("stats %+v", s)
	}
}

// Changing keys is no free way to keep a loop busy: neither at once nor with a byte of data in between,
// which crypto/tls would take for ever.
func TestKeyUpdateFlood(t *testing.T) {
	ping := string(masked(ws.Ping, "p"))
	for name, tt := range map[string]struct {
		update      string
		pings       int // between two of them
		times       int
		wantsCutOff bool
	}{
		"paid for":    {keyUpdateNot, barrenCredit, 100, false},
		"alternating": {keyUpdateNot, 1, 40, true},
		"both keys":   {keyUpdateAnswer, 1, 40, true},
		"in a row":    {keyUpdateNot, 0, 20, true},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := startSecure(t, withoutTickets)
			r := dialRecords(t, e).upgrade()
			var batch []byte
			for range tt.times {
				batch = append(batch, r.record(typeHandshake, tt.update)...)
				for range tt.pings {
					batch = append(batch, r.record(typeData, ping)...)
				}
			}
			r.send(batch)
			if tt.wantsCutOff {
				eventually(t, "it is cut off", func() bool { s := e.Stats(); return s.Connections() == 0 && s.ProtocolErrors == 1 })
				return
			}
			for range tt.times * tt.pings {
				r.until("p")
			}
			if n := e.Stats().ProtocolErrors; n != 0 {
				t.Errorf("%d protocol errors", n)
			}
		})
	}
}

// A peer that has its answers pile up and changes keys all the time gets it all in the right order.
func TestKeyUpdatesWhileBlocked(t *testing.T) {
	e, _ := startSecure(t, withoutTickets)
	r := dialRecords(t, e).upgrade()
	_ = r.conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	r.send(r.record(typeData, string(masked(ws.Binary, "big:6000000"))))
	eventually(t, "it is blocked", func() bool { return e.Stats().Blocked == 1 })
	for range 3 {
		r.send(r.record(typeHandshake, keyUpdateAnswer))
		r.send(r.record(typeData, string(masked(ws.Binary, "echo:behind"))))
	}
	for range 3 {
		r.until("behind")
	}
	if r.changes != 3 {
		t.Errorf("the server changed its keys %d times, want 3", r.changes)
	}
}
