# Hashes, sorting and text: what a script of everyday work asks of malloc.
use strict;
use warnings;
my (%count, @list);
for my $i (0 .. 60000) {
    my $key = "key " . ($i * 7919 % 20011);
    $count{$key}{n}++;
    push @{ $count{$key}{at} }, $i;
    push @list, $key x (1 + $i % 4);
}
my @sorted = sort { $count{$b}{n} <=> $count{$a}{n} || $a cmp $b } keys %count;
my $text = join "\n", @list;
my $n = () = $text =~ /key (\d+)/g;
my %seen;
$seen{$_}++ for split /\n/, $text;
die unless $n > @sorted;
