package codec

import (
	"bytes"
	"fmt"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"deepstream-fast/codec/internal/pbtest"
	"deepstream-fast/protocol"
)

type benchMessage struct {
	name string
	m    protocol.Message
}

// benchMessages are the messages of the benchmarks and of the allocation tests.
func benchMessages() []benchMessage {
	b := func(s string) []byte { return []byte(s) }
	var names [][]byte
	for i := range 50 {
		names = append(names, fmt.Appendf(nil, "sensor/%04d/temperature", i))
	}
	return []benchMessage{
		{"message=event/fields=2", protocol.Message{
			Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: b("chat/room-17"),
		}},
		{"message=event/fields=3", protocol.Message{
			Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: b("chat/room-17"), Data: b(`{"text":"hello","from":"ann"}`),
		}},
		{"message=patch/fields=7", protocol.Message{
			Topic: protocol.TopicRecord, Action: protocol.RecordPatch, Name: b("user/4711/profile"), Path: b("address.city"),
			Data: b(`"Berlin"`), CorrelationID: b("ki8mn2p1-4"), IsWriteAck: true, HasVersion: true, Version: 42,
		}},
		{"message=subscribe/names=50", protocol.Message{
			Topic: protocol.TopicEvent, Action: protocol.EventSubscribe, CorrelationID: b("17"), Names: protocol.ListNames(names),
		}},
	}
}

// BenchmarkDecode decodes into one reused message; bytes are those of the whole delimited message.
// impl=apiv2 is google.golang.org/protobuf with its messages reused, which is what we would do.
func BenchmarkDecode(b *testing.B) {
	for _, c := range benchMessages() {
		wire := Append(nil, &c.m)
		b.Run(c.name+"/impl=hand", func(b *testing.B) {
			var m protocol.Message
			b.ReportAllocs()
			b.SetBytes(int64(len(wire)))
			for b.Loop() {
				if _, err := Decode(&m, wire); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/impl=apiv2", func(b *testing.B) {
			var envelope pbtest.Envelope
			inner := oracleOf(c.m.Topic)
			b.ReportAllocs()
			b.SetBytes(int64(len(wire)))
			for b.Loop() {
				body, _ := protowire.ConsumeBytes(wire)
				if err := proto.Unmarshal(body, &envelope); err != nil {
					b.Fatal(err)
				}
				if err := proto.Unmarshal(envelope.Message, inner); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEncode appends one message to a warm buffer; bytes as in BenchmarkDecode.
func BenchmarkEncode(b *testing.B) {
	for _, c := range benchMessages() {
		buf := Append(nil, &c.m)
		b.Run(c.name+"/impl=hand", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				buf = Append(buf[:0], &c.m)
			}
		})
		b.Run(c.name+"/impl=apiv2", func(b *testing.B) {
			var envelope pbtest.Envelope
			inner := oracleOf(c.m.Topic)
			body, _ := protowire.ConsumeBytes(buf)
			if proto.Unmarshal(body, &envelope) != nil || proto.Unmarshal(envelope.Message, inner) != nil {
				b.Fatal("the oracle refuses the message")
			}
			out, scratch := bytes.Clone(buf), bytes.Clone(buf)
			b.ReportAllocs()
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				out, scratch = apiv2Append(out[:0], scratch[:0], &envelope, inner)
			}
		})
	}
}

// apiv2Append appends inner as a delimited message to out. scratch holds it in the meantime.
func apiv2Append(out, scratch []byte, envelope *pbtest.Envelope, inner proto.Message) (_, _ []byte) {
	opts := proto.MarshalOptions{}
	scratch, err := opts.MarshalAppend(scratch, inner)
	if err != nil {
		panic(err)
	}
	envelope.Message = scratch
	out = protowire.AppendVarint(out, uint64(opts.Size(envelope)))
	if out, err = opts.MarshalAppend(out, envelope); err != nil {
		panic(err)
	}
	return out, scratch
}

// oracleOf returns an empty message for topic t, one of benchMessages.
func oracleOf(t protocol.Topic) proto.Message {
	if t == protocol.TopicRecord {
		return &pbtest.Record{}
	}
	return &pbtest.Event{}
}
