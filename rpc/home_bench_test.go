package rpc

import (
	"fmt"
	"testing"

	"deepstream-fast/internal/testkit"
	"deepstream-fast/protocol"
)

func BenchmarkCall(b *testing.B) {
	for _, providers := range []int{1, 100, 100_000} {
		b.Run(fmt.Sprintf("providers=%d/payload=%dB", providers, len(payload)), func(b *testing.B) {
			h, out := newAsking(providers)
			b.ReportAllocs()
			b.SetBytes(int64(2 * len(payload))) // there and back
			for b.Loop() {
				round(h, out)
			}
		})
	}
}

// BenchmarkReroute offers a call to 16 providers before one of them takes it.
func BenchmarkReroute(b *testing.B) {
	for _, providers := range []int{17, 100_000} {
		b.Run(fmt.Sprintf("providers=%d/rejects=16", providers), func(b *testing.B) {
			h, out := newAsking(providers)
			b.ReportAllocs()
			for b.Loop() {
				h.Request(Request{From: testkit.Conn(1), Name: addName, CorrelationID: callID, Data: payload})
				for range 16 {
					h.Answer(out.provider, protocol.RPCReject, addName, callID, nil)
				}
				h.Answer(out.provider, protocol.RPCResponse, addName, callID, payload)
			}
		})
	}
}

func BenchmarkProvide(b *testing.B) {
	h, _ := newAsking(100_000)
	b.ReportAllocs()
	for b.Loop() {
		h.Provide(testkit.Conn(1), addName)
		h.Unprovide(testkit.Conn(1), addName)
	}
}
