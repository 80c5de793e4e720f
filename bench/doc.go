// Package bench measures the server from outside, as a process: CPU per delivered message and per
// acknowledged write, memory per idle connection and per subscription. Micro-benchmarks stand beside
// the code they measure; those here cross packages.
//
// The yardsticks are two bare C loops in bench/floor: F1 writes each delivery with one send(), F2
// gathers what is pending for a connection in one writev() per turn. They speak just enough of the
// protocol that the same driver (bench/load) drives them and us:
//
//	go run ./bench/cmd/fanout -runs 10        the table of the README
//	go run ./bench/cmd/records -runs 10       writes by durability, updates of a record against events
//	go run ./bench/cmd/scale -conns 5000      many connections, and all of them coming back at once
//	go run ./bench/cmd/sparse -runs 10        many names with three subscribers each
//	go run ./bench/cmd/profile                profiles of the server under load
//	go run ./bench/cmd/pgo -runs 10           without and with a profile given to the compiler
//	bench/rivals/run -runs 10                 against other servers: a module of its own
//	go test -run - -bench . ./bench           the same cells as Go benchmarks, and the memory ones
//
// # Invariants
//   - The server has one CPU and the driver another; a Rig refuses to start on fewer than two,
//     unless asked not to pin.
//   - CPU time is the kernel's account of the whole server process, user and system, to the
//     nanosecond. It is read only while nothing is in flight, so it belongs to counted deliveries.
//   - A write counts when it is acknowledged, and every record is read back after a measurement.
//   - Servers alternate within one run: a noisy neighbour hits all of them. Compare ratios only.
//   - Every process that a Rig starts is killed by its pid, also when the bench dies.
//
// Needs Linux, cc, taskset and two CPUs. Stability: internal, may change.
package bench
