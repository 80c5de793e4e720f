package ws

import "unicode/utf8"

// BulkPrefixBytes is the most that Limits.Bulk gets to see of a message.
const BulkPrefixBytes = 32

// Limits is what a Reader enforces. It is the same in every call on one Reader and is not modified.
type Limits struct {
	// MessageBytesMax is the largest payload of a message, over all its fragments.
	MessageBytesMax int
	// BulkBytesMax, if larger, is the maximum for the binary messages that Bulk accepts.
	BulkBytesMax int
	// Bulk judges a binary message over MessageBytesMax by its first bytes: BulkPrefixBytes of
	// them, or the frame if that ends earlier. Nothing more is kept before it has agreed. It must
	// neither modify nor keep prefix. nil accepts none.
	Bulk func(prefix []byte) bool
	// Refuse is the kind of message (Text or Binary) that this endpoint does not speak: it is
	// refused from the header, with CloseUnsupportedData. None refuses nothing.
	Refuse Kind
	// Budget bounds partial messages over all connections.
	Budget *Budget
}

// Message is one message or control frame from the peer.
type Message struct {
	Kind Kind
	// Code is set for Close only; CloseNoStatus if the peer gave none.
	Code CloseCode
	// Payload is unmasked. For Close it is the reason. It lies in the caller's b or in the Reader
	// and dies with the next call of Next or Release. Its capacity is its length, so that an
	// append never touches what follows.
	Payload []byte
}

// Reader is the inbound direction of one server connection. The zero value is ready for the first
// byte behind the handshake. It belongs to one goroutine.
type Reader struct {
	asm *assembly // exists only while a frame or a fragmented message is partial, or was just handed out
}

// Next decodes from b until a message or a control frame is complete and returns it with the number
// of bytes consumed. Kind None means that all of b was consumed and more is needed; call Next until
// then, for that is also what frees the message before. b is modified in place and not kept.
//
// An error is a *CloseError. It ends this direction: nothing that follows has a meaning. So it is
// after a message of kind Close.
//
// Hot path: 0 allocs for a message that lies whole in b, see BenchmarkNext.
func (r *Reader) Next(b []byte, lim *Limits) (Message, int, error) {
	if r.asm != nil && r.asm.handedOut {
		r.Release()
	}
	if len(b) == 0 {
		return Message{}, 0, nil
	}
	if r.asm == nil {
		if h, n, _ := parseHeader(b); n > 0 && h.whole(len(b)-n, lim) {
			end := n + int(h.size)
			p := b[n:end:end]
			unmask(p, h.key)
			m, err := finish(h.op, p)
			return m, end, err
		}
	}
	return r.assemble(b, lim)
}

// whole reports whether the frame is an unfragmented message within every limit and lies whole in
// the available bytes. What is not, wrong frames included, is the business of assemble.
func (h *header) whole(available int, lim *Limits) bool {
	return h.fin && h.op != Continuation && h.op != lim.Refuse &&
		h.size <= uint64(available) && h.size <= uint64(lim.MessageBytesMax)
}

// assemble is Next for everything that is not whole.
func (r *Reader) assemble(b []byte, lim *Limits) (Message, int, error) {
	if r.asm == nil {
		if r.asm = newAssembly(lim.Budget); r.asm == nil {
			return Message{}, 0, errBudget
		}
	}
	a, used := r.asm, 0
	for {
		n, err := a.advance(b[used:], lim)
		used += n
		if err == nil && !a.frameDone() {
			return Message{}, used, nil
		}
		var m Message
		if err == nil {
			m, err = a.endFrame()
		}
		if err != nil {
			r.Release()
			return Message{}, used, err
		}
		if m.Kind != None {
			return m, used, nil
		}
		if used == len(b) {
			return Message{}, used, nil
		}
	}
}

// finish checks a complete payload against its kind.
func finish(op Opcode, p []byte) (Message, error) {
	switch op {
	case Close:
		return closeMessage(p)
	case Text:
		if !utf8.Valid(p) { // RFC 6455 §8.1
			return Message{}, errUTF8
		}
	}
	return Message{Kind: op, Payload: p}, nil
}

// Partial reports whether the peer owes the rest of a frame or of a fragmented message.
func (r *Reader) Partial() bool { return r.asm != nil && !r.asm.handedOut }

// Buffered returns the bytes of memory held for what is partial, as reserved in the Budget.
func (r *Reader) Buffered() int {
	if r.asm == nil {
		return 0
	}
	return r.asm.reserved
}

// Release frees everything held. Call it when the connection ends; it may be called again.
func (r *Reader) Release() {
	if r.asm != nil {
		r.asm.free()
		r.asm = nil
	}
}
