package rpc

import (
	"bytes"
	"hash/maphash"
	"strconv"

	"deepstream-fast/protocol"
)

// idBytesMax is the longest dispatch id. The official client makes ids of about 20 bytes, a UUID has
// 36; a longer correlation id is replaced, so that a reservation stays small.
const idBytesMax = 48

// claimID gives c's dispatch its id: the requestor's if nothing is or was lately dispatched to this
// provider under it, else a new one. A requestor may have guessed generated ids; the counter only
// moves on, so each guess is skipped once.
func (h *Home) claimID(c *call) {
	id := c.req.CorrelationID
	if len(id) <= idBytesMax && h.find(c.provider.id, id) == nil {
		c.idLen = uint8(copy(c.id[:], id))
	} else {
		for taken := true; taken; taken = h.find(c.provider.id, c.dispatchID()) != nil {
			h.generated++
			c.idLen = uint8(len(strconv.AppendUint(append(c.id[:0], '~'), h.generated, 36)))
		}
	}
	c.hash = h.hashOf(c.provider.id, c.dispatchID())
	c.chain = h.index[c.hash]
	h.index[c.hash] = c
}

// releaseID frees the id of c's dispatch.
func (h *Home) releaseID(c *call) {
	head := h.index[c.hash]
	switch {
	case head != c:
		for head.chain != c {
			head = head.chain
		}
		head.chain = c.chain
	case c.chain != nil:
		h.index[c.hash] = c.chain
	default:
		delete(h.index, c.hash)
	}
	c.chain = nil
}

// find returns the call, open or retired, that is dispatched to provider under id, or nil.
func (h *Home) find(provider protocol.ConnID, id []byte) *call {
	for c := h.index[h.hashOf(provider, id)]; c != nil; c = c.chain {
		if c.provider.id == provider && bytes.Equal(c.dispatchID(), id) {
			return c
		}
	}
	return nil
}

func (h *Home) hashOf(provider protocol.ConnID, id []byte) uint64 {
	const odd = 0x9E3779B97F4A7C15 // spreads neighbouring connections over all bits
	return (maphash.Bytes(h.seed, id) ^ uint64(provider)*odd) & h.hashMask
}
