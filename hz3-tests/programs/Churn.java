import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/** Collections, native buffers and compressors (both of which use malloc), threads; prints sums of all results. */
public class Churn {
    static long work(long seed) throws Exception {
        Random draw = new Random(seed);
        Map<String, byte[]> table = new HashMap<>();
        for (int step = 0; step < 60000; step++) {
            String key = "key" + draw.nextInt(5000);
            if (table.containsKey(key) && draw.nextInt(10) < 4) {
                table.remove(key);
            } else {
                table.put(key, new byte[draw.nextInt(400)]);
            }
        }
        long sum = 0;
        for (Map.Entry<String, byte[]> entry : new TreeMap<>(table).entrySet()) {
            sum = sum * 31 + entry.getKey().hashCode() + entry.getValue().length;
        }
        for (int round = 0; round < 60; round++) {
            byte[] input = new byte[20000 + draw.nextInt(60000)];
            for (int i = 0; i < input.length; i++) {
                input[i] = (byte) ("abcdefgh".charAt(draw.nextInt(8)));
            }
            Deflater deflater = new Deflater(1 + round % 9);
            deflater.setInput(input);
            deflater.finish();
            byte[] packed = new byte[input.length + 1000];
            int length = deflater.deflate(packed);
            deflater.end();
            Inflater inflater = new Inflater();
            inflater.setInput(packed, 0, length);
            byte[] output = new byte[input.length];
            if (inflater.inflate(output) != input.length) {
                throw new IllegalStateException("inflated to another length");
            }
            inflater.end();
            if (!java.util.Arrays.equals(input, output)) {
                throw new IllegalStateException("inflated to other bytes");
            }
            sum = sum * 31 + length;
            java.nio.ByteBuffer direct = java.nio.ByteBuffer.allocateDirect(1000 + draw.nextInt(100000));
            direct.putLong(0, sum);
            sum += direct.getLong(0) % 7;
        }
        return sum;
    }

    public static void main(String[] arguments) throws Exception {
        System.out.println("alone " + work(1));
        ExecutorService pool = Executors.newFixedThreadPool(6);
        List<Future<Long>> results = new ArrayList<>();
        for (int i = 0; i < 24; i++) {
            final long seed = i;
            results.add(pool.submit(() -> work(seed)));
        }
        for (Future<Long> result : results) {
            System.out.println("pool " + result.get());
        }
        pool.shutdown();
    }
}
