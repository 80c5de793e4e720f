#include "textflag.h"

// Thirty-two times the quote, the backslash, and the last control character.
DATA quotes<>+0(SB)/8, $0x2222222222222222
DATA quotes<>+8(SB)/8, $0x2222222222222222
DATA quotes<>+16(SB)/8, $0x2222222222222222
DATA quotes<>+24(SB)/8, $0x2222222222222222
GLOBL quotes<>(SB), RODATA|NOPTR, $32
DATA slashes<>+0(SB)/8, $0x5C5C5C5C5C5C5C5C
DATA slashes<>+8(SB)/8, $0x5C5C5C5C5C5C5C5C
DATA slashes<>+16(SB)/8, $0x5C5C5C5C5C5C5C5C
DATA slashes<>+24(SB)/8, $0x5C5C5C5C5C5C5C5C
GLOBL slashes<>(SB), RODATA|NOPTR, $32
DATA controls<>+0(SB)/8, $0x1F1F1F1F1F1F1F1F
DATA controls<>+8(SB)/8, $0x1F1F1F1F1F1F1F1F
DATA controls<>+16(SB)/8, $0x1F1F1F1F1F1F1F1F
DATA controls<>+24(SB)/8, $0x1F1F1F1F1F1F1F1F
GLOBL controls<>(SB), RODATA|NOPTR, $32

// func plainAVX2(s []byte) int
TEXT ·plainAVX2(SB), NOSPLIT, $0-32
	MOVQ    s_base+0(FP), SI
	MOVQ    s_len+8(FP), CX
	VMOVDQU quotes<>(SB), Y1
	VMOVDQU slashes<>(SB), Y2
	VMOVDQU controls<>(SB), Y3
	XORQ    AX, AX
	SUBQ    $32, CX              // the last index that 32 bytes can be read at
	JLT     done

loop:
	VMOVDQU   (SI)(AX*1), Y0
	VPMINUB   Y0, Y3, Y4
	VPCMPEQB  Y0, Y4, Y4         // at most 0x1F: its minimum with that is itself
	VPCMPEQB  Y0, Y1, Y5
	VPCMPEQB  Y0, Y2, Y6
	VPOR      Y4, Y5, Y4
	VPOR      Y4, Y6, Y4
	VPMOVMSKB Y4, DX
	TESTL     DX, DX
	JNE       found
	ADDQ      $32, AX
	CMPQ      AX, CX
	JLE       loop

done:
	MOVQ AX, ret+24(FP)
	VZEROUPPER
	RET

found:
	BSFL DX, DX
	ADDQ DX, AX
	JMP  done
