package lazyjson

import "sync/atomic"

// Reason says why JSON text was looked into.
type Reason uint8

// The reasons, as the metric json_parse_total{reason} tells them apart.
const (
	ReasonValidate   Reason = iota // check what a peer sent
	ReasonRead                     // look a value up, for a permission rule say
	ReasonPatch                    // set or erase one value
	ReasonPatchMulti               // apply a list of patches
	reasonCount
)

var reasonNames = [reasonCount]string{"validate", "read", "patch", "patch_multi"}

// Reasons lists all reasons, for whoever reports them.
func Reasons() []Reason {
	return []Reason{ReasonValidate, ReasonRead, ReasonPatch, ReasonPatchMulti}
}

// String returns the value of the metric's label.
func (r Reason) String() string {
	if r >= reasonCount {
		return "unknown"
	}
	return reasonNames[r]
}

// Counters counts how often JSON was looked into. The functions of this package do not count: their
// callers do, best each loop in Counters of its own, so that no two cores fight for a cache line. The
// zero value is ready. Safe for concurrent use.
type Counters struct {
	n [reasonCount]atomic.Uint64
	_ [64 - 8*reasonCount]byte // Counters in a row are a cache line each
}

// Add notes one look for reason r.
func (c *Counters) Add(r Reason) { c.n[r].Add(1) }

// Load returns how often there was reason r.
func (c *Counters) Load(r Reason) uint64 { return c.n[r].Load() }
