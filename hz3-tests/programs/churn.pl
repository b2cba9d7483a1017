# Hashes, arrays, strings, regular expressions, sorting and child processes; prints sums of all results.
use strict;
use warnings;

my $state = 12345;
sub draw { my ($n) = @_; $state = ($state * 1103515245 + 12345) & 0x7fffffff; return ($state >> 8) % $n; }

sub work {
    my (%table, @rows);
    for my $step (1 .. 60000) {
        my $key = "key" . draw(9000);
        if (exists $table{$key} && draw(10) < 4) { delete $table{$key} }
        else { $table{$key} = [$step, "v" x draw(150), { inner => $step % 11 }] }
    }
    my $sum = 0;
    for my $key (sort keys %table) { $sum = ($sum * 31 + $table{$key}[0] + length $table{$key}[1]) % 1000000007 }

    my $text = join " ", map { my $w = ""; $w .= chr(97 + draw(10)) for 1 .. 1 + draw(10); $w } 1 .. 20000;
    my $hits = () = $text =~ /\b[a-e]\w*(?:hi|ij)\b/g;
    (my $swapped = $text) =~ s/(\w)(\w+)/$2$1/g;
    my $grown = "";
    $grown .= substr($swapped, draw(length($swapped) - 60), 50) for 1 .. 20000;

    push @rows, [map { draw(1000) } 1 .. 8] for 1 .. 8000;
    @rows = sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] || "@$a" cmp "@$b" } @rows;
    my $order = 0;
    $order = ($order * 33 + $_->[0] + $_->[7]) % 1000000007 for @rows;
    return join " ", $sum, scalar(keys %table), $hits, length $swapped, unpack("%32C*", $grown), $order;
}

print work(), "\n" for 1 .. 3;
for my $n (1 .. 6) {
    my $pid = open(my $child, "-|");
    die "fork: $!" unless defined $pid;
    if (!$pid) { $state += $n; print work(), "\n"; exit 0 }
    print "child $n: ", <$child>;
    close $child or die "child $n: $?";
}
