"""Proofs of what streams are made of: FIFOs, credits, width adapters, forks, kept weights.

Every claim is also made about something broken, and has to be refuted there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lattice.proving import holds, library

pytestmark = pytest.mark.slow

# A queue that is nothing but a list, beside the FIFO: the same to the outside, whatever happens.
QUEUE = """
module claims #(parameter DEPTH = 3, parameter ADDRESS = 2) (
    input wire clk, input wire rst, input wire push_valid, input wire [1:0] push_data, input wire pop_ready
);
    wire push_ready, pop_valid;
    wire [1:0] pop_data;
    gw_fifo #(.WIDTH(2), .DEPTH(DEPTH), .ADDRESS(ADDRESS)) fifo (
        clk, rst, push_valid, push_ready, push_data, pop_valid, pop_ready, pop_data
    );
    reg [2*DEPTH-1:0] list = 0;   // the oldest in the least significant bits
    reg [ADDRESS:0] count = 0;
    wire push = push_valid && count != DEPTH;
    wire pop = pop_ready && count != 0;
    wire [2*DEPTH-1:0] popped = pop ? list >> 2 : list;
    wire [ADDRESS:0] left = count - pop;
    always @(posedge clk)
        if (rst)
            count <= 0;
        else begin
            count <= left + push;
            list <= push ? (popped & ~({2*DEPTH{1'b1}} << 2 * left)) | (push_data << 2 * left) : popped;
        end
    always @* begin
        assert(push_ready == (count != DEPTH));
        assert(pop_valid == (count != 0));
        assert(!pop_valid || pop_data == list[1:0]);
    end
endmodule
"""


@pytest.mark.parametrize(("depth", "address"), [(2, 1), (3, 2), (4, 2)])
def test_fifo_is_a_queue(tmp_path: Path, depth: int, address: int) -> None:
    """For ever, under any offers, stalls and resets: order, no overflow, no underflow."""
    assert holds(tmp_path, library("gw_fifo") + QUEUE, 0, {"DEPTH": depth, "ADDRESS": address})


@pytest.mark.parametrize(("right", "wrong"), [("DEPTH - 1;", "DEPTH;"), ("push != pop", "push || pop")])
def test_broken_fifo(tmp_path: Path, right: str, wrong: str) -> None:
    text = library("gw_fifo")
    assert right in text
    assert not holds(tmp_path, text.replace(right, wrong) + QUEUE, 12)


# The FIFO in block memory holds more than DEPTH, so its tokens are numbered instead.
BLOCK = """
module claims (input wire clk, input wire rst, input wire offer, input wire take);
    wire ready, valid;
    wire [3:0] token;
    reg [3:0] given = 0, taken = 0;
    gw_fifo_block #(.WIDTH(4), .DEPTH(DEPTHS), .ADDRESS(2)) fifo (clk, rst, offer, ready, given, valid, take, token);
    always @(posedge clk) begin
        given <= rst ? 0 : given + (offer && ready);
        taken <= rst ? 0 : taken + (valid && take);
    end
    wire [3:0] inside = given - taken;
    always @* begin
        assert(!valid || token == taken);
        assert(inside <= DEPTHS + 2 && (ready || inside >= DEPTHS));
    end
endmodule
"""


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_fifo_in_block_memory_keeps_the_stream(tmp_path: Path, depth: int) -> None:
    """For ever, under any offers, stalls and resets: order, no loss, at least DEPTH tokens, at most two more."""
    text = library("gw_fifo_block", "gw_memory") + BLOCK.replace("DEPTHS", str(depth))
    assert holds(tmp_path, text)


@pytest.mark.parametrize(("right", "wrong"), [("(!pop_valid || pop_ready)", "1'b1"), ("DEPTH - 1;", "DEPTH;")])
def test_broken_fifo_in_block_memory(tmp_path: Path, right: str, wrong: str) -> None:
    text = library("gw_fifo_block", "gw_memory")
    assert right in text
    assert not holds(tmp_path, text.replace(right, wrong) + BLOCK.replace("DEPTHS", "2"), 14)


# Weights that come once: the same words again and again, in order, whatever stalls.
KEEP = """
module claims (input wire clk, input wire rst, input wire offer, input wire take, input wire [1:0] word);
    wire ready, valid;
    wire [1:0] token;
    reg [5:0] list = 0;
    reg [1:0] given = 0, place = 0;
    gw_keep #(.WIDTH(2), .WORDS(3), .ADDRESS(2)) keep (clk, rst, offer, ready, word, valid, take, token);
    wire [1:0] right = given > place ? list[2*place +: 2] : word;
    always @(posedge clk) begin
        if (offer && ready) begin
            list[2*given +: 2] <= word;
            given <= given + 1;
        end
        if (valid && take)
            place <= place == 2 ? 0 : place + 1;
        if (rst) begin
            given <= 0;
            place <= 0;
        end
    end
    always @* begin
        assert(!valid || token == right);
        assert(!(ready && given == 3));
    end
endmodule
"""


def test_kept_weights_come_again_and_again(tmp_path: Path) -> None:
    """For ever, under any offers, stalls and resets."""
    assert holds(tmp_path, library("gw_keep", "gw_spram") + KEEP)


def test_kept_weights_out_of_order(tmp_path: Path) -> None:
    text = library("gw_keep", "gw_spram")
    assert "fetched && (!held_valid || out_ready)" in text
    assert not holds(tmp_path, text.replace("fetched && (!held_valid || out_ready)", "fetched") + KEEP, 14)


# Credits, a pipeline of FLIGHT cycles and the FIFO behind it: what comes is always taken.
CREDIT = """
module claims #(parameter CREDITS = 3, parameter COUNT = 2, parameter FLIGHT = 3) (
    input wire clk, input wire rst, input wire offer, input wire take
);
    wire may_start, push_ready, pop_valid;
    wire start = offer && may_start;
    reg [FLIGHT-1:0] flight = 0;
    always @(posedge clk) flight <= rst ? 0 : {flight, start};
    gw_credit #(.CREDITS(CREDITS), .TAKE(1), .COUNT(COUNT)) credit (clk, rst, start, pop_valid && take, may_start);
    gw_fifo #(.WIDTH(1), .DEPTH(CREDITS), .ADDRESS(2)) fifo (
        clk, rst, flight[FLIGHT-1], push_ready, 1'b0, pop_valid, take,
    );
    always @* assert(!flight[FLIGHT-1] || push_ready);
endmodule
"""


def test_credits_never_overflow_the_fifo(tmp_path: Path) -> None:
    """For ever, under any offers, stalls and resets."""
    assert holds(tmp_path, library("gw_credit", "gw_fifo") + CREDIT)


def test_a_credit_too_many(tmp_path: Path) -> None:
    text = library("gw_credit", "gw_fifo")
    assert "next >= NEED" in text
    assert not holds(tmp_path, text.replace("next >= NEED", "next + 1 >= NEED") + CREDIT, 16)


# Narrow to wide and back is the stream itself; the tokens are counted, so what is lost or doubled shows.
WIDTHS = """
module claims (input wire clk, input wire rst, input wire offer, input wire take);
    wire ready, mid_valid, mid_ready, valid;
    wire [11:0] mid;
    wire [3:0] last;
    reg [3:0] given = 0, taken = 0;
    gw_width #(.BITS(4), .IN(1), .OUT(3), .COUNT(2)) widen (clk, rst, offer, ready, given, mid_valid, mid_ready, mid);
    gw_width #(.BITS(4), .IN(3), .OUT(1), .COUNT(2)) narrow (clk, rst, mid_valid, mid_ready, mid, valid, take, last);
    always @(posedge clk) begin
        given <= rst ? 0 : given + (offer && ready);
        taken <= rst ? 0 : taken + (valid && take);
    end
    always @* assert(!valid || last == taken);
endmodule
"""


def test_width_adapters_keep_the_stream(tmp_path: Path) -> None:
    """For ever, under any offers, stalls and resets."""
    assert holds(tmp_path, library("gw_width") + WIDTHS)


def test_a_wide_token_taken_too_early(tmp_path: Path) -> None:
    text = library("gw_width")
    right = "out_ready && count == LAST"
    assert right in text
    assert not holds(tmp_path, text.replace(right, "out_ready") + WIDTHS, 12)


# A fork whose readers stall as they like: all have seen the same tokens, in order.
FORK = """
module claims (input wire clk, input wire rst, input wire offer, input wire [1:0] take);
    wire ready;
    wire [1:0] in_valid, in_ready, valid;
    wire [1:0] token;
    wire [3:0] last;
    reg [1:0] given = 0;
    reg [3:0] taken = 0;
    gw_fork #(.WIDTH(2), .READERS(2)) branch (offer, ready, given, in_valid, in_ready, token);
    gw_fifo #(.WIDTH(2), .DEPTH(2), .ADDRESS(1)) a (
        clk, rst, in_valid[0], in_ready[0], token, valid[0], take[0], last[1:0]
    );
    gw_fifo #(.WIDTH(2), .DEPTH(2), .ADDRESS(1)) b (
        clk, rst, in_valid[1], in_ready[1], token, valid[1], take[1], last[3:2]
    );
    always @(posedge clk) begin
        given <= rst ? 0 : given + (offer && ready);
        taken[1:0] <= rst ? 0 : taken[1:0] + (valid[0] && take[0]);
        taken[3:2] <= rst ? 0 : taken[3:2] + (valid[1] && take[1]);
    end
    always @* begin
        assert(!valid[0] || last[1:0] == taken[1:0]);
        assert(!valid[1] || last[3:2] == taken[3:2]);
    end
endmodule
"""


def test_fork_gives_everybody_everything(tmp_path: Path) -> None:
    """For ever, under any offers, stalls and resets."""
    assert holds(tmp_path, library("gw_fork", "gw_fifo") + FORK)


def test_a_fork_that_does_not_wait(tmp_path: Path) -> None:
    text = library("gw_fork", "gw_fifo")
    assert "in_valid && in_ready" in text
    assert not holds(tmp_path, text.replace("{READERS{in_valid && in_ready}}", "{READERS{in_valid}}") + FORK, 10)
