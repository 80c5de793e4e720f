package protocol

import "fmt"

// ConnID names one connection for as long as the process lives: 8 bits of owner loop, 24 bits of
// slot in that loop's slab, 32 bits of generation. A slot is reused, a generation of it never is,
// so an id that outlived its connection matches nothing. The zero value names no connection.
type ConnID uint64

// LoopsMax is the largest number of loops: a topic's loops fit into one 64-bit mask.
const LoopsMax = 64

// SlotsMax is the largest number of connections of one loop.
const SlotsMax = 1 << 24

// MakeConnID builds the id of slot on loop in its gen-th use. gen starts at 1.
func MakeConnID(loop int, slot, gen uint32) ConnID {
	return ConnID(uint64(loop)<<56 | uint64(slot)<<32 | uint64(gen))
}

// Loop returns the index of the loop that owns the connection.
func (id ConnID) Loop() int { return int(id >> 56) }

// Slot returns the connection's place in its loop's slab.
func (id ConnID) Slot() uint32 { return uint32(id>>32) & (SlotsMax - 1) }

// Gen returns the generation of the slot.
func (id ConnID) Gen() uint32 { return uint32(id) }

// String formats the id as loop/slot/generation.
func (id ConnID) String() string {
	return fmt.Sprintf("%d/%d/%d", id.Loop(), id.Slot(), id.Gen())
}
