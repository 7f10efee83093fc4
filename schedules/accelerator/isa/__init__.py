"""The instruction set: fields, binary encoding, assembler and disassembler."""
