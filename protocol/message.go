package protocol

// AnyVersion in a write request means "the next version, whatever it is"; in a HEAD or READ
// answer the same number means "the record does not exist".
const AnyVersion int32 = -1

// Message is one protocol message of any topic, decoded or about to be encoded. It is the union of
// the fields of all topics; which of them a topic has, and under which number, is codec's business.
//
// A decoded Message and every slice in it live until the callback that received it returns. A
// Message is reused: Reset before filling it.
type Message struct {
	Topic  Topic
	Action Action

	// Data is the payload, JSON text that nobody has parsed. It must never be present and empty in
	// what we send: the official client parses any present value and throws on "".
	Data          []byte
	CorrelationID []byte
	Name          []byte
	Subscription  []byte // listening: the name a pattern matched
	Path          []byte // record: JSON path of a patch; nil on UPDATE
	Names         Names  // bulk requests and presence answers

	IsError    bool
	IsAck      bool
	IsWriteAck bool // record: the writer wants to know, or is told, that the write is kept

	HasVersion bool // Version is on the wire; must be written even when it is 0
	Version    int32
	Versions   []NameVersion // record: HEAD_RESPONSE_BULK

	OriginalTopic  Topic
	OriginalAction Action

	RequestorName []byte // RPC, to providers only
	RequestorData []byte

	URL             []byte // CONNECTION: CHALLENGE and REDIRECT
	ProtocolVersion []byte
	SDKVersion      []byte
	SDKType         []byte
}

// NameVersion is one entry of the versions map.
type NameVersion struct {
	Name    []byte
	Version int32
}

// Reset empties m for reuse and keeps the capacity of its lists.
func (m *Message) Reset() {
	versions := m.Versions[:0]
	*m = Message{Versions: versions}
}

// Names is a list of names. A decoded list is the undecoded body of its message, walked by Iter
// without being materialised, so that a bulk message of a million names costs no memory beyond its
// own bytes. The zero value is the empty list.
type Names struct {
	list  [][]byte // a list we made ourselves
	body  []byte   // a decoded inner message: other fields may stand between the names
	tag   byte     // tag byte of the names within body
	count int
}

// ListNames returns a Names over list, which it keeps and does not copy.
func ListNames(list [][]byte) Names { return Names{list: list, count: len(list)} }

// WireNames returns the count names that stand under the one-byte tag (length-delimited) in body,
// the bytes of an inner message. The caller has checked that body is well formed protobuf without
// groups: Iter does not check it again. Only codec calls this.
func WireNames(body []byte, tag byte, count int) Names {
	return Names{body: body, tag: tag, count: count}
}

// Len returns the number of names.
func (n *Names) Len() int { return n.count }

// Iter returns an iterator placed before the first name.
func (n *Names) Iter() NamesIter { return NamesIter{names: *n, left: n.count} }

// NamesIter walks a Names:
//
//	it := m.Names.Iter()
//	for it.Next() {
//		use(it.Name())
//	}
//
// Declared by the for statement itself, the iterator would be copied for every name.
// Hot path: 0 allocs.
type NamesIter struct {
	names Names
	name  []byte
	pos   int // in the list, or in the body
	left  int // names of a decoded list that are still to come
}

// Name returns the current name, a view that lives as long as its message.
func (it *NamesIter) Name() []byte { return it.name }

// Next advances to the next name and reports whether there is one.
func (it *NamesIter) Next() bool {
	if it.pos < len(it.names.list) { // never of a decoded list
		it.name = it.names.list[it.pos]
		it.pos++
		return true
	}
	return it.nextWire()
}

// nextWire is Next for a decoded list: it looks for the tag and steps over all other fields. The tag
// may be spelled in more bytes than it needs, as any varint.
func (it *NamesIter) nextWire() bool {
	if it.left == 0 {
		return false
	}
	it.left--
	b := it.names.body
	for i := it.pos; i < len(b); {
		var tag, size uint64
		tag, i = varint(b, i)
		switch tag & 7 {
		case 0: // varint
			_, i = varint(b, i)
		case 1: // fixed 64
			i += 8
		case 5: // fixed 32
			i += 4
		default: // length-delimited: codec let nothing else through
			size, i = varint(b, i)
			end := i + int(size)
			if tag == uint64(it.names.tag) {
				it.name, it.pos = b[i:end:end], end
				return true
			}
			i = end
		}
	}
	it.left = 0
	return false
}

// varint reads the base-128 varint at b[i], which is known to be complete, and returns the index
// behind it.
func varint(b []byte, i int) (uint64, int) {
	if c := b[i]; c < 0x80 {
		return uint64(c), i + 1
	}
	var v uint64
	for shift := 0; ; shift += 7 {
		c := b[i]
		i++
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, i
		}
	}
}
