package rpc

import (
	"cmp"
	"fmt"
	"time"

	"deepstream-fast/protocol"
)

// RetiredFor is how long the dispatch id of a call that its provider believes open stays reserved.
const RetiredFor = time.Minute

// Options are the limits of one Home. The zero value of a field is its default.
type Options struct {
	AckTimeout      time.Duration // for ACCEPT, from dispatch; default 1 s (rpc.ackTimeout)
	ResponseTimeout time.Duration // for the answer, from dispatch too; default 10 s (rpc.responseTimeout)

	// A REQUEST beyond one of these is answered with NO_RPC_PROVIDER and counted in Stats.Refused.
	CallsMax        int // open calls; default 131 072
	CallsPerConnMax int // open calls of one requestor; default 16 384
	BytesMax        int // request bytes kept for re-routing; default 256 MiB

	// ProvidersPerCallMax bounds how many providers one call is offered to, because each REJECT
	// costs a message: a name of 100,000 unwilling providers must not amplify. Default 1024.
	ProvidersPerCallMax int

	// RetiredMax bounds the reserved ids of ended calls; beyond it the oldest is given up, whose
	// late answer then finds no call, as after RetiredFor. Default 65 536.
	RetiredMax int

	// Ended is told the requestor of every Request when that is not pending any more: the call has ended,
	// or was refused. It must not call the Home. nil: nobody counts.
	Ended func(requestor protocol.ConnID)
}

// Validate returns an error that names the first option out of range.
func (o Options) Validate() error {
	for _, f := range []struct {
		key string
		bad bool
	}{
		{"ackTimeout", o.AckTimeout < 0},
		{"responseTimeout", o.ResponseTimeout < 0},
		{"callsMax", o.CallsMax < 0},
		{"callsPerConnMax", o.CallsPerConnMax < 0},
		{"bytesMax", o.BytesMax < 0},
		{"providersPerCallMax", o.ProvidersPerCallMax < 0},
		{"retiredMax", o.RetiredMax < 0},
	} {
		if f.bad {
			return fmt.Errorf("rpc.%s: must not be negative", f.key)
		}
	}
	return nil
}

func (o Options) withDefaults() Options {
	o.AckTimeout = cmp.Or(o.AckTimeout, time.Second)
	o.ResponseTimeout = cmp.Or(o.ResponseTimeout, 10*time.Second)
	o.CallsMax = cmp.Or(o.CallsMax, 128<<10)
	o.CallsPerConnMax = cmp.Or(o.CallsPerConnMax, 16<<10)
	o.BytesMax = cmp.Or(o.BytesMax, 256<<20)
	o.ProvidersPerCallMax = cmp.Or(o.ProvidersPerCallMax, 1024)
	o.RetiredMax = cmp.Or(o.RetiredMax, 64<<10)
	return o
}
