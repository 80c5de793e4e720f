package pebble

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"deepstream-fast/store"
)

const (
	format = 1 // of keys and values, see the package comment

	spaceData      = 'd'
	spaceTombstone = 't'
	spaceVersion   = 'v'

	prefixBytes = 2 // format and space
	expiryBytes = 8

	flagDeleted = 1 << 0 // of a head; all other flags are reserved and refused

	headBytesMax       = 1 + binary.MaxVarintLen32 + expiryBytes
	dataHeaderBytesMax = 1 + binary.MaxVarintLen32
)

var formatKey = []byte("\x00format")

// appendKey appends the key of name in space, 'd' or 'v', to dst.
func appendKey(dst []byte, space byte, name []byte) []byte {
	return append(append(dst, format, space), name...)
}

// appendTombstoneKey appends the key under which the tombstone of name waits for its collection.
func appendTombstoneKey(dst []byte, expiry time.Time, name []byte) []byte {
	dst = append(dst, format, spaceTombstone)
	dst = binary.BigEndian.AppendUint64(dst, uint64(expiry.UnixMilli()))
	return append(dst, name...)
}

// decodeTombstoneKey splits what appendTombstoneKey made. name is a view.
func decodeTombstoneKey(key []byte) (expiry time.Time, name []byte, err error) {
	if len(key) <= prefixBytes+expiryBytes || key[0] != format || key[1] != spaceTombstone {
		return time.Time{}, nil, fmt.Errorf("%w: tombstone key %q", store.ErrCorrupt, key)
	}
	ms := binary.BigEndian.Uint64(key[prefixBytes:])
	return time.UnixMilli(int64(ms)), key[prefixBytes+expiryBytes:], nil
}

// appendHead appends the value of a 'v' key to dst. expiry is that of the tombstone, if it is one.
func appendHead(dst []byte, h store.Head, expiry time.Time) []byte {
	if h.State != store.StateDeleted {
		return binary.AppendUvarint(append(dst, 0), uint64(h.Version))
	}
	dst = binary.AppendUvarint(append(dst, flagDeleted), uint64(h.Version))
	return binary.BigEndian.AppendUint64(dst, uint64(expiry.UnixMilli()))
}

// decodeHead reads what appendHead wrote, or returns an error with store.ErrCorrupt. It accepts no
// other bytes: decode and encode are inverse.
func decodeHead(v []byte) (h store.Head, expiry time.Time, err error) {
	flags, version, rest, ok := decodeHeader(v)
	switch {
	case ok && flags == 0 && len(rest) == 0:
		return store.Head{Version: version, State: store.StateLive}, time.Time{}, nil
	case ok && flags == flagDeleted && len(rest) == expiryBytes:
		expiry = time.UnixMilli(int64(binary.BigEndian.Uint64(rest)))
		return store.Head{Version: version, State: store.StateDeleted}, expiry, nil
	}
	return store.Absent, time.Time{}, fmt.Errorf("%w: head % x", store.ErrCorrupt, v)
}

// appendDataHeader appends what stands before the JSON in the value of a 'd' key.
func appendDataHeader(dst []byte, version int32) []byte {
	return binary.AppendUvarint(append(dst, 0), uint64(version))
}

// decodeData splits the value of a 'd' key. data is a view.
func decodeData(v []byte) (version int32, data []byte, err error) {
	flags, version, data, ok := decodeHeader(v)
	if !ok || flags != 0 {
		return 0, nil, fmt.Errorf("%w: data starts % x", store.ErrCorrupt, v[:min(len(v), dataHeaderBytesMax)])
	}
	return version, data, nil
}

// decodeHeader splits flags and version off v. A version spelled in more bytes than it needs is not
// ours.
func decodeHeader(v []byte) (flags byte, version int32, rest []byte, ok bool) {
	if len(v) < 2 {
		return 0, 0, nil, false
	}
	u, n := binary.Uvarint(v[1:])
	if n <= 0 || u > math.MaxInt32 || n > 1 && v[n] == 0 {
		return 0, 0, nil, false
	}
	return v[0], int32(u), v[1+n:], true
}
